import { isSegmentMode, SEGMENT_MODES, type SegmentMode } from "../cloud/segment";
import { parseOptions, type Usage, UsageError } from "../support/usage";

export interface Arguments {
  readonly json: boolean;
  readonly demo: boolean;
  /** undefined = not given. */
  readonly segmentMode: SegmentMode | undefined;
}

export const USAGE: Usage = {
  call: "npm start -- [--demo] [--segment ok|slow|429|reject|down] [--json]",
  help: `  --demo             sends evaluations of four users each second, and retries 240 times faster
  --segment <mode>   how the embedded Segment answers: slow after 6 s, 429 asks to slow down, reject refuses user ann alone,
                     down closes the connection. POST /segment?mode=<mode> changes it
  --json             the log entries as in CloudWatch, and nothing else on standard output (with npm -s start)
Its settings are variables: PORT, HOST, FLAGSMITH_WEBHOOK_SECRET, SEGMENT_ENDPOINT, SEGMENT_WRITE_KEY, FORWARD, EXPERIMENTS, SAMPLE, see test/README.md`,
};

const OPTIONS = { json: { type: "boolean" }, demo: { type: "boolean" }, segment: { type: "string" } } as const;

/** @throws UsageError, HelpRequest */
export function readArguments(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Arguments {
  const forgotten = forgottenIn(args, environment);
  if (forgotten !== undefined) throw new UsageError(USAGE, forgotten);
  const { values } = parseOptions(USAGE, { args: [...args], options: OPTIONS });
  const { json = false, demo = false, segment } = values;
  if (segment !== undefined && !isSegmentMode(segment)) {
    throw new UsageError(USAGE, `--segment: allowed is ${SEGMENT_MODES.join(", ")}; got ${segment}`);
  }
  return { json, demo, segmentMode: segment };
}

/** Reports options that npm treated as its own because they stood before its `--`. */
function forgottenIn(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const taken = Object.keys(OPTIONS).filter((name) => environment[`npm_config_${name}`] !== undefined);
  if (environment.npm_lifecycle_event !== "start" || taken.length === 0) return undefined;
  const typed = taken.map((name) => {
    const value = environment[`npm_config_${name}`];
    return value === "true" || value === "" ? `--${name}` : `--${name} ${value}`;
  });
  return `npm took --${taken[0]} for itself; type: npm start -- ${[...typed, ...args].join(" ")}`;
}
