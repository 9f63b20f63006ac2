import { isJsonObject, tryParseJson } from "../../../lambda/json";
import type { Aws } from "../aws";
import { type Check, type Finding, type Verdict, verdict } from "./finding";
import type { ParameterCommands, ParameterValue } from "./parameters";

export type SegmentRegion = "us" | "eu";

const HOSTS = { "api.segment.io": "us", "events.eu1.segmentapis.com": "eu" } as const;
type Host = keyof typeof HOSTS;

const SEGMENTS_OWN = /(^|\.)(segment\.io|segment\.com|segmentapis\.com)$/;
/** Number of characters of a write key. */
export const KEY_LENGTH = 32;
/** For this long, a new source may be missing in Segment's settings. */
const DAY_MS = 24 * 3_600_000;

export interface WriteKeyOptions {
  readonly aws: Pick<Aws, "settingsUrl">;
  /** Base URL that deliver sends to. */
  readonly endpoint: string;
  readonly parameter: ParameterValue;
  readonly writeKey: string;
  readonly commands: ParameterCommands;
}

/** Whether a source has the key, and where that source is. The tracking API answers 200 to any key; only Segment's settings say. */
export function writeKeyChecks(options: WriteKeyOptions): readonly Check[] {
  const { endpoint, aws } = options;
  const name = "write key at Segment";
  const needs = "nothing";
  const { hostname } = new URL(endpoint);
  if (!isSegments(endpoint)) {
    const detail = `not looked at: ${endpoint} is not Segment's, so Segment's settings need not know the key`;
    return [{ name, needs, look: async () => verdict("skip", detail) }];
  }
  return [
    {
      name,
      needs,
      look: async (): Promise<readonly Finding[]> => {
        const findings: Finding[] = [];
        const { length } = options.writeKey;
        if (length !== KEY_LENGTH) {
          const detail = `has ${length} characters; Segment's keys have ${KEY_LENGTH}`;
          findings.push({ check: "write key", ...verdict("warning", detail, "compare it with the source's in Segment") });
        }
        const answer = await readSettings(aws.settingsUrl, options.writeKey);
        findings.push({ check: name, ...judgeKey(answer, options) });
        if (answer.kind === "settings") findings.push({ check: "the source's region", ...judgeRegion(answer, hostname) });
        return findings;
      },
    },
  ];
}

/** Segment's settings know only the keys of calls that go to Segment itself. */
export function isSegments(endpoint: string): boolean {
  return SEGMENTS_OWN.test(new URL(endpoint).hostname);
}

export type Settings =
  | { readonly kind: "unknown-key" }
  | { readonly kind: "settings"; readonly apiHost: unknown }
  | { readonly kind: "unseen"; readonly why: string };

export async function readSettings(settingsUrl: string, writeKey: string): Promise<Settings> {
  const { host } = new URL(settingsUrl);
  const unseen = (why: string): Settings => ({ kind: "unseen", why: `not looked at: ${host} ${why}` });
  try {
    const url = `${settingsUrl}/v1/projects/${encodeURIComponent(writeKey)}/settings`;
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    const { status } = response;
    const text = await response.text();
    const isHtml = /html/.test(response.headers.get("content-type") ?? "") || /^\s*<(!doctype|html)/i.test(text);
    if (isHtml) return unseen(`answers ${status} with HTML, not an answer of Segment: is a proxy in between?`);
    if (status === 404) return { kind: "unknown-key" };
    if (status !== 200) return unseen(`answers ${status}`);
    const settings = tryParseJson(text);
    if (!isJsonObject(settings)) return unseen("answers without JSON, not an answer of Segment: is a proxy in between?");
    const integrations = isJsonObject(settings.integrations) ? settings.integrations : {};
    const ofSegment = integrations["Segment.io"];
    return { kind: "settings", apiHost: isJsonObject(ofSegment) ? ofSegment.apiHost : undefined };
  } catch (error) {
    const { cause, message } = Object(error);
    return unseen(`can't be reached from here: ${cause?.message || cause?.code || message}`);
  }
}

function judgeKey(answer: Settings, { parameter, commands }: WriteKeyOptions): Verdict {
  switch (answer.kind) {
    case "settings":
      return verdict("ok", "belongs to a source");
    case "unseen":
      return verdict("skip", answer.why);
    case "unknown-key": {
      const { changedAt } = parameter;
      if (changedAt !== undefined && Date.now() - changedAt.getTime() < DAY_MS) {
        const detail = "no source has it yet: the parameter is younger than a day, and so long a new source may be missing";
        return verdict("warning", detail, "run doctor --call, and look for the call in the source's Debugger at Segment");
      }
      const detail = "no source has it: Segment answers 200, and drops the calls";
      return verdict("failed", detail, `copy the key of the source at Segment, then: ${commands.overwrite}`);
    }
  }
}

/** undefined = Segment does not say. */
export function sourceRegion(settings: Settings): SegmentRegion | undefined {
  const host = settings.kind === "settings" && typeof settings.apiHost === "string" ? hostOf(settings.apiHost) : "";
  return isKnown(host) ? HOSTS[host] : undefined;
}

function judgeRegion({ apiHost }: Extract<Settings, { kind: "settings" }>, hostname: string): Verdict {
  const host = typeof apiHost === "string" ? hostOf(apiHost) : "";
  if (!isKnown(host)) return verdict("skip", "Segment does not say; eu1.app.segment.com in the browser means EU");
  if (!isKnown(hostname)) return verdict("skip", `not compared: ${hostname} is neither region's usual host`);
  const [source, pipeline] = [HOSTS[host], HOSTS[hostname]];
  if (source === pipeline) return verdict("ok", `${source}, as the pipeline's`);
  const detail = `the source is in ${source}, the pipeline sends to ${pipeline}: Segment answers 200, and drops the calls`;
  return verdict("failed", detail, `set option "segmentRegion": "${source}", instead of segmentEndpoint, and deploy`);
}

/** `api.segment.io/v1`, with or without a protocol. */
function hostOf(apiHost: string): string {
  return (
    apiHost
      .replace(/^\w+:\/\//, "")
      .split(/[/:?#]/, 1)[0]
      ?.toLowerCase() ?? ""
  );
}

function isKnown(host: string): host is Host {
  return Object.hasOwn(HOSTS, host);
}
