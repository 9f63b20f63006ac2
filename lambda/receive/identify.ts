import { fitVariations, type Variation, variationValue } from "../experiments";
import { hashIdentity, type IdentifyCall } from "../identify-call";
import { LIBRARY } from "../library";
import type { ResolvedOptions } from "../options";
import { capacityOf, toCalls } from "../split";
import { type ColumnProblems, columnProblems } from "./columns";
import { type Evaluation, isAnonymous } from "./evaluation";
import type { Selects } from "./selection";
import { type MappingOptions, type TraitSet, toTraits } from "./traits";

/** Segment's documentation says "fewer than 100 characters". It answers 200 to a call with a longer id, and drops it. */
export const MAX_MESSAGE_ID_LENGTH = 99;

/** Characters for a dash and the number of a part. A body of 6 MB has fewer than 1,000 parts. */
const PART_LENGTH = 5;

/** API Gateway's data about one received webhook, and the stack's name. */
export interface Receipt {
  readonly stackName: string;
  readonly requestId: string;
  /** Milliseconds since 1970. Each attempt sends this time as Segment's `timestamp`. */
  readonly receivedAtMs: number;
}

export interface IdentifyOptions
  extends MappingOptions,
    Pick<ResolvedOptions, "anonymousIdentities" | "markActive" | "removeTraits"> {
  /** Flags whose values are variations of an experiment. */
  readonly selectsExperiment: Selects;
}

export interface IdentifyCalls extends Pick<TraitSet, "renamed" | "overwritten">, ColumnProblems {
  /** At least one call, in the order of the queue. */
  readonly calls: readonly [IdentifyCall, ...IdentifyCall[]];
  /** Variations by flag, as JSON. undefined = there are none. */
  readonly experiments: string | undefined;
  /** Traits that are too large for a call, and variations that do not fit into a request, with their size in bytes of JSON. */
  readonly cut: readonly { readonly name: string; readonly bytes: number }[];
}

/** Maps an evaluation to as many calls as its traits need. Segment merges the traits of all calls of an identity. */
export function toIdentifyCalls(evaluation: Evaluation, receipt: Receipt, options: IdentifyOptions): IdentifyCalls {
  const { traits, renamed, overwritten } = toTraits(evaluation, options);
  const { identity } = evaluation;
  const { receivedAtMs } = receipt;
  const id = messageIdBase(receipt);
  const idLength = Buffer.byteLength(JSON.stringify(id)) - 2 + PART_LENGTH;
  const envelope = { json: envelopeOf(identity, receivedAtMs, options), identity, receivedAtMs, idLength };
  const capacity = capacityOf(envelope);
  const cut: { name: string; bytes: number }[] = [];
  // A value that is too large for a call is replaced by the trait's fallback. Without a fallback the trait is not sent.
  const json = [...traits].flatMap(([name, { value, fallback }]) => {
    const trait = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
    const bytes = Buffer.byteLength(trait);
    if (bytes <= capacity) return [trait];
    cut.push({ name, bytes });
    return fallback === undefined ? [] : [`${JSON.stringify(name)}:${fallback}`];
  });
  const removed = options.removeTraits.filter((name) => !traits.has(name)).map((name) => `${JSON.stringify(name)}:null`);
  const calls = toCalls(envelope, [...json, ...removed], (part) => `${id}-${part}`);
  const variations = fitVariations(calls[0], variationsOf(evaluation, options));
  const values = Object.fromEntries(variations.kept.map(({ flag, value }) => [flag, value]));
  const experiments = variations.kept.length === 0 ? undefined : JSON.stringify(values);
  return { calls, experiments, renamed, overwritten, cut: [...cut, ...variations.cut], ...columnProblems(traits.keys()) };
}

/** Returns the variations of the selected flags that are enabled. If two flags have the same name, the later one counts. */
function variationsOf({ flags }: Evaluation, options: IdentifyOptions): readonly Variation[] {
  const variations = new Map<string, Variation>();
  for (const { name: flag, enabled, value } of flags) {
    if (!options.selectsFlag(flag) || !options.selectsExperiment(flag)) continue;
    if (enabled) variations.set(flag, { flag, value: variationValue(value), since: "" });
    else variations.delete(flag);
  }
  return [...variations.values()];
}

/** Returns the fields that all calls of an evaluation share, as JSON without the outer braces. */
function envelopeOf(identity: string, receivedAtMs: number, options: IdentifyOptions): string {
  const anonymous = options.anonymousIdentities === "anonymousId" && isAnonymous(identity);
  const timestamp = new Date(receivedAtMs).toISOString();
  const context = options.markActive ? { library: LIBRARY } : { library: LIBRARY, active: false };
  return JSON.stringify({ [anonymous ? "anonymousId" : "userId"]: identity, context, timestamp }).slice(1, -1);
}

/** Unique per received webhook: equal evaluations get different ids, and a message that is delivered again keeps its id. */
function messageIdBase(receipt: Receipt): string {
  const full = `${receipt.stackName}-${receipt.requestId}`;
  const room = MAX_MESSAGE_ID_LENGTH - PART_LENGTH;
  if (full.length <= room) return full;
  const hash = hashIdentity(full).slice(0, 32);
  return `${full.slice(0, room - hash.length - 1)}-${hash}`;
}
