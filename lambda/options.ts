import { ConfigurationError } from "./errors";

/** Names to take and to leave out. `*` stands for any run of characters; leaving out wins over taking. */
export interface Selection {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/** Everything a user can choose, as props of the construct and as context in `cdk.json`. */
export interface Options {
  /**
   * Where the Segment workspace lives. The wrong one loses events silently: Segment answers 200 all the same.
   * @default "us"
   */
  readonly segmentRegion?: "us" | "eu" | undefined;
  /**
   * Base URL of the Segment API; overrides `segmentRegion`.
   * @default - the endpoint of `segmentRegion`
   */
  readonly segmentEndpoint?: string | undefined;
  /**
   * Put before each flag's name.
   * @default "" - flags keep their names
   */
  readonly traitPrefix?: string | undefined;
  /**
   * `flagsmith`: one trait per flag, its value or its state. `typed`: two, the state and `<flag>_value`, whose types never change.
   * @default "flagsmith"
   */
  readonly traitStyle?: "flagsmith" | "typed" | undefined;
  /**
   * Flags to send, by name; `*` stands for any characters, `exclude` wins.
   * @default - every flag
   */
  readonly flags?: Selection | undefined;
  /**
   * The identity's own traits that are sent as well: all, or those named. May be personal data. Those marked transient are not.
   * @default false
   */
  readonly flagsmithTraits?: boolean | readonly string[] | undefined;
  /**
   * Adds the trait `flagsmith_segments`: the names of the segments the identity is a member of.
   * @default false
   */
  readonly segments?: boolean | undefined;
  /**
   * Identities to send; `*` stands for any characters, `exclude` wins.
   * @default - every identity
   */
  readonly identities?: Selection | undefined;
  /**
   * `undefined`, `null`, `NaN`, `[object Object]` and blanks: what broken clients identify their visitors by, who would become one person.
   * @default "drop"
   */
  readonly placeholderIdentities?: "drop" | "identify" | undefined;
  /**
   * How identities without a name are sent, each of which Segment may bill as a user. They are told by 32 or 64 hex digits: where
   * your user ids are hashes, these look the same.
   * @default "identify" - as any other
   */
  readonly anonymousIdentities?: "identify" | "anonymousId" | "drop" | undefined;
  /**
   * Whether a call counts as activity of the person in Segment.
   * @default true - as Flagsmith's own integration
   */
  readonly markActive?: boolean | undefined;
  /**
   * Whether Segment gets every evaluation, or only what changed since the last one that it took of that person.
   * @default "every"
   */
  readonly forward?: "every" | "changes" | undefined;
  /**
   * Hours after which an unchanged trait is sent again, with `forward: "changes"`.
   * @default 24
   */
  readonly refreshHours?: number | undefined;
  /**
   * Whether many evaluations of one person that wait are sent as one call: the newest state in time, but not each change on the way.
   * @default true
   */
  readonly mergeBacklog?: boolean | undefined;
  /**
   * Does everything but the call to Segment, which is logged instead, trait values included.
   * @default false
   */
  readonly dryRun?: boolean | undefined;
  /**
   * How the logs name people: by their identity, or by its SHA-256.
   * @default "plain"
   */
  readonly logUserId?: "plain" | "hashed" | undefined;
  /**
   * Share of the lines about successes that have their steps, as lines about failures always do.
   * @default 0
   */
  readonly logSampling?: number | undefined;
  /**
   * Days that the logs are kept.
   * @default 30
   */
  readonly logRetentionDays?: number | undefined;
  /**
   * Webhooks per second, and at once, that API Gateway lets in.
   * @default - rateLimit 1000, burstLimit 2000
   */
  readonly throttle?: { readonly rateLimit?: number | undefined; readonly burstLimit?: number | undefined };
  /**
   * Address that gets a mail for each alarm.
   * @default - none
   */
  readonly alarmEmail?: string | undefined;
  /**
   * ARN of an SNS topic that gets each alarm.
   * @default - none
   */
  readonly alarmTopicArn?: string | undefined;
  /**
   * ARN of the customer-managed KMS key that the two parameters are encrypted with.
   * @default - the AWS-managed key of SSM
   */
  readonly kmsKeyArn?: string | undefined;
}

type Optional = "kmsKeyArn" | "alarmEmail" | "alarmTopicArn";

/** Options with every default filled in. */
export type ResolvedOptions = {
  readonly [Name in Exclude<keyof Options, Optional>]-?: Exclude<Options[Name], undefined>;
} & Pick<Options, Optional>;

const SEGMENT_ENDPOINTS = { us: "https://api.segment.io", eu: "https://events.eu1.segmentapis.com" } as const;

const DEFAULTS = {
  segmentRegion: "us",
  traitPrefix: "",
  traitStyle: "flagsmith",
  flags: {},
  flagsmithTraits: false,
  segments: false,
  identities: {},
  placeholderIdentities: "drop",
  anonymousIdentities: "identify",
  markActive: true,
  forward: "every",
  refreshHours: 24,
  mergeBacklog: true,
  dryRun: false,
  logUserId: "plain",
  logSampling: 0,
  logRetentionDays: 30,
  throttle: { rateLimit: 1_000, burstLimit: 2_000 },
} as const satisfies Options;

/** Fills in the defaults. What a construct passes on as undefined was not given. */
export function resolveOptions(options: Options): ResolvedOptions {
  const segmentEndpoint = SEGMENT_ENDPOINTS[options.segmentRegion ?? DEFAULTS.segmentRegion];
  const throttle = { ...DEFAULTS.throttle, ...given(options.throttle ?? {}) };
  return { ...DEFAULTS, segmentEndpoint, ...given(options), throttle };
}

function given<Values extends object>(values: Values): { readonly [Name in keyof Values]: Exclude<Values[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

export type OptionName = keyof Options;

interface OptionRule {
  /** What a fault's message and the README say. */
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}

/**
 * Bytes of the options that name flags, traits and people, as JSON. Lambda gives all variables of a function 4,096 bytes together, and
 * the rest of receive's takes at most 1,000.
 */
const MAX_LISTS_BYTES = 3_000;
const LISTS = ["traitPrefix", "flags", "flagsmithTraits", "identities"] as const satisfies readonly OptionName[];

const MAX_REFRESH_HOURS = 8_760;

/** The days that CloudWatch Logs can keep logs for. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

export const OPTION_RULES: { readonly [Name in OptionName]-?: OptionRule } = {
  segmentRegion: oneOf("us", "eu"),
  segmentEndpoint: {
    allowed: "an https URL of at most 500 bytes, without query and without /v1/identify (http for loopback only)",
    accepts: isEndpoint,
  },
  traitPrefix: { allowed: "a string of at most 100 characters", accepts: (value) => isText(value, 100) },
  traitStyle: oneOf("flagsmith", "typed"),
  flags: { allowed: "{ include?: [names], exclude?: [names] }, * as wildcard", accepts: isSelection },
  flagsmithTraits: {
    allowed: "true, false or [names], * as wildcard",
    accepts: (value) => typeof value === "boolean" || isNames(value),
  },
  segments: trueOrFalse(),
  identities: { allowed: "{ include?: [names], exclude?: [names] }, * as wildcard", accepts: isSelection },
  placeholderIdentities: oneOf("drop", "identify"),
  anonymousIdentities: oneOf("identify", "anonymousId", "drop"),
  markActive: trueOrFalse(),
  forward: oneOf("every", "changes"),
  refreshHours: {
    allowed: "a number of hours, more than 0 and at most 8,760",
    accepts: (value) => typeof value === "number" && value > 0 && value <= MAX_REFRESH_HOURS,
  },
  mergeBacklog: trueOrFalse(),
  dryRun: trueOrFalse(),
  logUserId: oneOf("plain", "hashed"),
  logSampling: {
    allowed: "a number from 0 to 1",
    accepts: (value) => typeof value === "number" && value >= 0 && value <= 1,
  },
  logRetentionDays: {
    allowed: RETENTION_DAYS.join(", "),
    accepts: (value) => RETENTION_DAYS.some((days) => days === value),
  },
  throttle: {
    allowed: "{ rateLimit?, burstLimit? }, whole numbers from 1",
    accepts: (value) => hasOnly(value, { rateLimit: isCount, burstLimit: isCount }),
  },
  alarmEmail: { allowed: "an e-mail address", accepts: (value) => isMatch(value, /^[^\s@]+@[^\s@]+$/) },
  // An ARN of what is deployed with the construct is a token of CDK's.
  alarmTopicArn: {
    allowed: "the ARN of an SNS topic",
    accepts: (value) => isMatch(value, /^(arn:[\w-]+:sns:[\w-]+:\d+:.+|\$\{Token\[.+)$/),
  },
  // The ARN of an alias would synthesize, and then allow nothing.
  kmsKeyArn: {
    allowed: "the ARN of a KMS key",
    accepts: (value) => isMatch(value, /^(arn:[\w-]+:kms:[\w-]+:\d+:key\/[\w-]{1,64}|\$\{Token\[.+)$/),
  },
};

/**
 * Checks what a user wrote, as props of a construct or in `cdk.json`.
 *
 * @throws ConfigurationError with every fault, each saying what is allowed.
 */
export function assertOptions(input: unknown, where: string): asserts input is Options {
  if (!isObject(input)) {
    throw new ConfigurationError([`${where}: allowed is an object of options; got ${shorten(input)}`]);
  }
  const faults = Object.entries(input).flatMap(([name, value]) => faultOf(`${where}.${name}`, name, value) ?? []);
  const lists = Object.fromEntries(LISTS.map((name) => [name, input[name]]));
  const bytes = Buffer.byteLength(JSON.stringify(lists));
  if (bytes > MAX_LISTS_BYTES) {
    faults.push(`${where}: allowed are ${MAX_LISTS_BYTES} bytes for ${LISTS.join(", ")} together; got ${bytes}`);
  }
  if (faults.length === 0) faults.push(...contradictionsOf(input, where));
  if (faults.length > 0) throw new ConfigurationError(faults);
}

/** Options that can't both be meant. */
function contradictionsOf({ identities, placeholderIdentities = "drop" }: Options, where: string): readonly string[] {
  const placeholder = identities?.include?.find((name) => isPlaceholderIdentity(name));
  if (placeholder === undefined || placeholderIdentities === "identify") return [];
  const both = `${where}.identities.include names ${JSON.stringify(placeholder)}, which ${where}.placeholderIdentities leaves out`;
  return [`${both}: set that to "identify", or remove the name`];
}

/** What broken clients identify everybody by. Blanks only are none either; an empty identity is refused as invalid. */
export function isPlaceholderIdentity(identity: string): boolean {
  return /^(undefined|null|NaN|\[object Object\]|\s+)$/.test(identity);
}

/** What is wrong with one option; undefined if nothing is. `label` is how the user named it. */
export function faultOf(label: string, name: string, value: unknown): string | undefined {
  if (!isOptionName(name)) return `${label}: unknown option; allowed are ${Object.keys(OPTION_RULES).join(", ")}`;
  const { allowed, accepts } = OPTION_RULES[name];
  if (value === undefined || accepts(value)) return undefined;
  return `${label}: allowed is ${allowed}; got ${shorten(value)}`;
}

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTION_RULES, name);
}

function oneOf(...values: readonly string[]): OptionRule {
  const allowed = values.map((value) => `"${value}"`).join(" or ");
  return { allowed, accepts: (value) => values.some((one) => one === value) };
}

function trueOrFalse(): OptionRule {
  return { allowed: "true or false", accepts: (value) => typeof value === "boolean" };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasOnly(value: unknown, fields: Readonly<Record<string, (field: unknown) => boolean>>): boolean {
  if (!isObject(value)) return false;
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

function isText(value: unknown, longest: number): boolean {
  return typeof value === "string" && value.length <= longest;
}

function isMatch(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function isEndpoint(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value) || Buffer.byteLength(value) > 500) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(value);
  const loopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return (
    (protocol === "https:" || (protocol === "http:" && loopback)) &&
    !/\/v1(\/identify)?\/*$/.test(pathname) &&
    `${search}${hash}${username}${password}` === ""
  );
}

function shorten(value: unknown): string {
  const shown = JSON.stringify(value) ?? "nothing";
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
}
