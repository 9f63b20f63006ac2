import { resolveOptions } from "../../../lambda/options";
import type { SegmentRegion } from "../checks/write-key";
import { CommandError, UsageError } from "../command";
import { agreed, type Entry, textOf } from "./cdk-json";
import type { Dialog } from "./dialog";

/** Where deliver will send to, as far as it is decided. */
export interface Segment {
  /** undefined = Segment's own endpoint, in a region that is not known yet. */
  readonly endpoint: string | undefined;
  readonly region: SegmentRegion | undefined;
}

/** What was decided before the write key is known. @throws UsageError for an option that is not allowed, or not there */
export function segmentOf(entry: Entry | undefined, option: string | undefined): Segment {
  const endpoint = textOf(entry, "segmentEndpoint");
  if (endpoint !== undefined && option !== undefined) {
    throw new UsageError('--segment-region: cdk.json has "segmentEndpoint", and the two exclude each other');
  }
  if (endpoint !== undefined && !URL.canParse(endpoint)) throw new CommandError("cdk.json: segmentEndpoint is not a URL");
  if (endpoint !== undefined) return segmentAt(endpoint);
  const region = agreed(entry, "segmentRegion", "segment-region", option);
  if (region === undefined) return { endpoint: undefined, region: undefined };
  if (!isRegion(region)) throw new UsageError(`--segment-region: allowed is us or eu; got ${region}`);
  return { endpoint: resolveOptions({ segmentRegion: region }).segmentEndpoint, region };
}

export function segmentAt(endpoint: string): Segment {
  return { endpoint, region: regionOfEndpoint(endpoint) };
}

function isRegion(text: string): text is SegmentRegion {
  return text === "us" || text === "eu";
}

function regionOfEndpoint(endpoint: string): SegmentRegion | undefined {
  return (["us", "eu"] as const).find((segmentRegion) => resolveOptions({ segmentRegion }).segmentEndpoint === endpoint);
}

/** A wrong region loses every call without an error. @throws CommandError if the operator refuses the region */
export async function regionOf(
  dialog: Dialog,
  { endpoint, region }: Segment,
  ofSource: SegmentRegion | undefined,
): Promise<SegmentRegion | undefined> {
  if (region !== undefined && ofSource !== undefined && region !== ofSource) {
    const why = `the write key's source is in ${ofSource}, and the pipeline sends to ${region}: Segment would drop every call`;
    const fix = `set option "segmentRegion": "${ofSource}"`;
    if (!(await dialog.confirm(`${why}. Go on?`, { answer: true, says: `${why}; ${fix}` }))) {
      throw new CommandError(`nothing was written; ${fix}`);
    }
  }
  // An endpoint of the operator's own has no region to choose.
  if (region !== undefined || endpoint !== undefined) return region;
  if (ofSource !== undefined) return ofSource;
  if (dialog.isUnattended) {
    dialog.print("--yes: Segment does not say where the source is; segmentRegion stays us");
    return "us";
  }
  const typed = await dialog.ask("Segment's region, us or eu (eu1.app.segment.com in the browser means eu; Enter: us):");
  if (typed !== "" && !isRegion(typed)) throw new CommandError(`allowed is us or eu; got ${typed}: nothing was written`);
  return typed === "" ? "us" : typed;
}
