import { ConfigurationError } from "./errors";
import { isJsonObject } from "./json";

/** Names to take and to leave out. `*` stands for any run of characters; leaving out wins over taking. */
export interface Selection {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/** Everything a user can choose, as props of the construct and as context in `cdk.json`. */
export interface Options {
  /** Where the Segment workspace lives. The wrong one loses events silently: Segment answers 200 all the same. @default "us" */
  readonly segmentRegion?: "us" | "eu" | undefined;
  /** Base URL of the Segment API, instead of `segmentRegion`. @default - the endpoint of `segmentRegion` */
  readonly segmentEndpoint?: string | undefined;
  /** Put before each flag's name. @default "" - flags keep their names */
  readonly traitPrefix?: string | undefined;
  /** One trait per flag, its value or its state; or two whose types never change: state and `<flag>_value`. @default "flagsmith" */
  readonly traitStyle?: "flagsmith" | "typed" | undefined;
  /** Flags to send, by name; `*` stands for any characters, `exclude` wins. @default - every flag */
  readonly flags?: Selection | undefined;
  /** The identity's own traits to send, all or those named, which may be personal; no transient ones. @default false */
  readonly flagsmithTraits?: boolean | readonly string[] | undefined;
  /** Adds the trait `flagsmith_segments`: the names of the segments the identity is a member of. @default false */
  readonly segments?: boolean | undefined;
  /** Identities to send; `*` stands for any characters, `exclude` wins. @default - every identity */
  readonly identities?: Selection | undefined;
  /** Whether `undefined`, `null`, `NaN`, `[object Object]` and blanks, of broken clients, become one person. @default "drop" */
  readonly placeholderIdentities?: "drop" | "identify" | undefined;
  /**
   * How identities without a name are sent, each of which Segment may bill as a user. They are told by 32 or 64 hex digits:
   * where your user ids are hashes, these look the same. @default "identify" - as any other
   */
  readonly anonymousIdentities?: "identify" | "anonymousId" | "drop" | undefined;
  /** Whether a call counts as activity of the person in Segment. @default true - as Flagsmith's own integration */
  readonly markActive?: boolean | undefined;
  /** Whether Segment gets every evaluation, or only what changed since the last one that it took. @default "every" */
  readonly forward?: "every" | "changes" | undefined;
  /** Hours after which an unchanged trait is sent again, with `forward: "changes"`. @default 24 */
  readonly refreshHours?: number | undefined;
  /** Whether many waiting evaluations of one person become one call: the newest state, not each change. @default true */
  readonly mergeBacklog?: boolean | undefined;
  /** Does everything but the call to Segment, which is logged instead, trait values included. @default false */
  readonly dryRun?: boolean | undefined;
  /** Delivers nothing: everything waits in the queue, for 14 days at most. @default false */
  readonly paused?: boolean | undefined;
  /** How the logs name people: by their identity, or by its SHA-256. @default "plain" */
  readonly logUserId?: "plain" | "hashed" | undefined;
  /** Share of the lines about successes that have their steps, as lines about failures always do. @default 0 */
  readonly logSampling?: number | undefined;
  /** Days that the logs are kept. @default 30 */
  readonly logRetentionDays?: number | undefined;
  /** Webhooks per second, and at once, that API Gateway lets in. @default - rateLimit 1000, burstLimit 2000 */
  readonly throttle?: { readonly rateLimit?: number | undefined; readonly burstLimit?: number | undefined } | undefined;
  /** Batches that deliver works on at once: 10 make some 800 calls per second, of the 1,000 that Segment takes. @default 10 */
  readonly maxConcurrency?: number | undefined;
  /** Concurrent invocations kept for receive. AWS refuses it where fewer than 100 would be left to others. @default - none */
  readonly reservedConcurrency?: number | undefined;
  /** Address that gets a mail for each alarm. @default - none */
  readonly alarmEmail?: string | undefined;
  /** ARN of an SNS topic that gets each alarm. @default - none */
  readonly alarmTopicArn?: string | undefined;
  /** URL of your own runbook, which each alarm then names. @default - this product's runbook, by its article */
  readonly runbookUrl?: string | undefined;
  /** Hours without any webhook after which an alarm fires. @default - none */
  readonly expectTraffic?: number | undefined;
  /** ARN of the customer-managed KMS key that the two parameters are encrypted with. @default - the AWS-managed key of SSM */
  readonly kmsKeyArn?: string | undefined;
}

type Optional = "kmsKeyArn" | "alarmEmail" | "alarmTopicArn" | "runbookUrl" | "expectTraffic" | "reservedConcurrency";

/** Options with every default filled in. */
export type ResolvedOptions = {
  readonly [Name in Exclude<keyof Options, Optional>]-?: Exclude<Options[Name], undefined>;
} & Pick<Options, Optional>;

export type OptionName = keyof Options;

interface OptionRule<Value = unknown> {
  /** What a fault's message and the README say. */
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
  readonly byDefault: Value;
}

/** Bytes of the options with names, as JSON. Lambda gives all variables 4,096; the rest of receive's takes at most 1,000. */
const MAX_LISTS_BYTES = 3_000;
const LISTS = ["traitPrefix", "flags", "flagsmithTraits", "identities"] as const satisfies readonly OptionName[];

/** The days that CloudWatch Logs can keep logs for. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

/** CloudFormation's integers have 32 bits. */
const MAX_INTEGER = 2 ** 31 - 1;

/** What is known at deploy only, such as the ARN of a topic in the same app, is a token of CDK's at synth. */
const TOKEN = /^\$\{Token\[.+$/;

const LIMITS = { rateLimit: 1_000, burstLimit: 2_000 };
const SELECTION = "{ include?: [names], exclude?: [names] }, * as wildcard";

const US = "https://api.segment.io";
const EU = "https://events.eu1.segmentapis.com";

export const OPTION_RULES: { readonly [Name in OptionName]-?: OptionRule<Options[Name]> } = {
  segmentRegion: oneOf("us", "eu"),
  segmentEndpoint: rule(US, "an https URL (http for loopback), at most 500 bytes, without query or /v1/identify", isEndpoint),
  traitPrefix: rule("", "a string of at most 100 characters", (value) => isMatch(value, /^.{0,100}$/s)),
  traitStyle: oneOf("flagsmith", "typed"),
  flags: rule({}, SELECTION, isSelection),
  flagsmithTraits: rule(false, "true, false or [names], * as wildcard", (value) => isTrueOrFalse(value) || isNames(value)),
  segments: trueOrFalse(false),
  identities: rule({}, SELECTION, isSelection),
  placeholderIdentities: oneOf("drop", "identify"),
  anonymousIdentities: oneOf("identify", "anonymousId", "drop"),
  markActive: trueOrFalse(true),
  forward: oneOf("every", "changes"),
  refreshHours: rule(24, "a number from 0.01 to 8,760", (value) => isNumber(value, 0.01, 8_760)),
  mergeBacklog: trueOrFalse(true),
  dryRun: trueOrFalse(false),
  paused: trueOrFalse(false),
  logUserId: oneOf("plain", "hashed"),
  logSampling: rule(0, "a number from 0 to 1", (value) => isNumber(value, 0, 1)),
  logRetentionDays: rule(30, RETENTION_DAYS.join(", "), (value) => RETENTION_DAYS.some((days) => days === value)),
  throttle: rule(LIMITS, "{ rateLimit?, burstLimit? }, whole numbers from 1 to 2,147,483,647", isThrottle),
  maxConcurrency: rule(10, "a whole number from 2 to 1,000", (value) => isWhole(value, 2, 1_000)),
  reservedConcurrency: rule(undefined, "a whole number from 1", (value) => isWhole(value, 1, MAX_INTEGER)),
  alarmEmail: rule(undefined, "an e-mail address", (value) => isMatch(value, /^[^\s@]+@[^\s@]+$/)),
  alarmTopicArn: rule(undefined, "the ARN of an SNS topic", (value) => isMatch(value, /^arn:[\w-]+:sns:[\w-]+:\d+:.+$/, TOKEN)),
  runbookUrl: rule(undefined, "an https URL of at most 200 bytes", (value) =>
    isMatch(value, /^https:\/\/[!-~]{1,192}$/, TOKEN),
  ),
  expectTraffic: rule(undefined, "a whole number of hours from 1 to 24", (value) => isWhole(value, 1, 24)),
  // The ARN of an alias would synthesize, and then allow nothing.
  kmsKeyArn: rule(undefined, "the ARN of a KMS key", (value) =>
    isMatch(value, /^arn:[\w-]+:kms:[\w-]+:\d+:key\/[\w-]{1,64}$/, TOKEN),
  ),
};

export const OPTION_NAMES = Object.keys(OPTION_RULES) as readonly OptionName[];

/** Fills in the defaults. What a construct passes on as undefined was not given. */
export function resolveOptions(options: Options): ResolvedOptions {
  const filled = OPTION_NAMES.map((name) => [name, options[name] ?? OPTION_RULES[name].byDefault]);
  const segmentEndpoint = options.segmentEndpoint ?? (options.segmentRegion === "eu" ? EU : US);
  const { rateLimit = LIMITS.rateLimit, burstLimit = LIMITS.burstLimit } = options.throttle ?? {};
  return { ...Object.fromEntries(filled), segmentEndpoint, throttle: { rateLimit, burstLimit } };
}

/**
 * Checks what a user wrote, as props or in `cdk.json`. `without`: options that are not for this place.
 * @throws ConfigurationError with every fault, and what is allowed.
 */
export function assertOptions(input: unknown, where: string, without: readonly OptionName[] = []): asserts input is Options {
  if (!isJsonObject(input)) throw new ConfigurationError([`${where}: allowed is an object of options; got ${shorten(input)}`]);
  const faults = Object.entries(input).flatMap(([name, value]) => faultOf(`${where}.${name}`, name, value, without) ?? []);
  const lists = Object.fromEntries(LISTS.map((name) => [name, input[name]]));
  const bytes = Buffer.byteLength(JSON.stringify(lists));
  if (bytes > MAX_LISTS_BYTES) {
    faults.push(`${where}: allowed are ${MAX_LISTS_BYTES} bytes for ${LISTS.join(", ")} together; got ${bytes}`);
  }
  if (faults.length === 0) faults.push(...contradictionsOf(input, where));
  if (faults.length > 0) throw new ConfigurationError(faults);
}

/** Options that can't both be meant. */
function contradictionsOf(options: Options, where: string): readonly string[] {
  const { segmentRegion, segmentEndpoint, identities, placeholderIdentities = "drop" } = options;
  const faults: string[] = [];
  if (segmentRegion !== undefined && segmentEndpoint !== undefined) {
    faults.push(`${where}: segmentRegion and segmentEndpoint both say where Segment is; remove one of them`);
  }
  const placeholder = identities?.include?.find((name) => isPlaceholderIdentity(name));
  if (placeholder !== undefined && placeholderIdentities === "drop") {
    const both = `${where}.identities.include names ${JSON.stringify(placeholder)}, which placeholderIdentities leaves out`;
    faults.push(`${both}; set that to "identify", or remove the name`);
  }
  return faults;
}

/** What broken clients identify everybody by. Blanks only are none either; an empty identity is refused as invalid. */
export function isPlaceholderIdentity(identity: string): boolean {
  return /^(undefined|null|NaN|\[object Object\]|\s+)$/.test(identity);
}

/** What is wrong with one option; undefined if nothing is. `label` is how the user named it. */
export function faultOf(label: string, name: string, value: unknown, without: readonly OptionName[] = []): string | undefined {
  const names = OPTION_NAMES.filter((each) => !without.includes(each));
  const known = names.find((each) => each === name);
  if (known === undefined) return `${label}: unknown option; allowed are ${names.join(", ")}`;
  const { allowed, accepts } = OPTION_RULES[known];
  if (value === undefined || accepts(value)) return undefined;
  return `${label}: allowed is ${allowed}; got ${shorten(value)}`;
}

function rule<Value>(byDefault: Value, allowed: string, accepts: OptionRule["accepts"]): OptionRule<Value> {
  return { byDefault, allowed, accepts };
}

/** The first is the default. */
function oneOf<Value extends string>(...values: readonly [Value, ...Value[]]): OptionRule<Value> {
  return rule(values[0], values.map((value) => `"${value}"`).join(" or "), (value) => values.some((one) => one === value));
}

function trueOrFalse(byDefault: boolean): OptionRule<boolean> {
  return rule(byDefault, "true or false", isTrueOrFalse);
}

function isTrueOrFalse(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function hasOnly(value: unknown, fields: Readonly<Record<string, (field: unknown) => boolean>>): boolean {
  if (!isJsonObject(value)) return false;
  return Object.entries(value).every(
    ([name, field]) => Object.hasOwn(fields, name) && (field === undefined || fields[name]?.(field)),
  );
}

function isSelection(value: unknown): boolean {
  return hasOnly(value, { include: isNames, exclude: isNames });
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");
}

function isMatch(value: unknown, ...patterns: readonly RegExp[]): value is string {
  return typeof value === "string" && patterns.some((pattern) => pattern.test(value));
}

function isNumber(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && isNumber(value, least, most);
}

function isThrottle(value: unknown): boolean {
  const isLimit = (limit: unknown) => isWhole(limit, 1, MAX_INTEGER);
  return hasOnly(value, { rateLimit: isLimit, burstLimit: isLimit });
}

/** Deliver puts a path behind it: `URL` would forgive a blank or a bare `?` at the end, and the path were no path then. */
function isEndpoint(value: unknown): boolean {
  if (!isMatch(value, /^[^\s?#@]+$/) || !URL.canParse(value) || Buffer.byteLength(value) > 500) return false;
  const { protocol, hostname, pathname } = new URL(value);
  const isSafe = protocol === "https:" || (protocol === "http:" && /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname));
  return isSafe && !/\/v1(\/identify)?\/*$/.test(pathname);
}

function shorten(value: unknown): string {
  const shown = JSON.stringify(value) ?? "nothing";
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
}
