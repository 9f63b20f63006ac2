/** Names to include and to exclude. `*` matches any characters, and `exclude` wins over `include`. */
export interface Selection {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/** Everything that can be configured, as props of the construct and as context in `cdk.json`. */
export interface Options {
  /** Region of the Segment workspace. The wrong one loses events silently, because Segment still answers 200. @default "us" */
  readonly segmentRegion?: "us" | "eu" | undefined;
  /** Base URL of the Segment API. It replaces `segmentRegion`. @default - the endpoint of `segmentRegion` */
  readonly segmentEndpoint?: string | undefined;
  /** Text before each flag's name. @default "" - flags keep their names */
  readonly traitPrefix?: string | undefined;
  /**
   * `flagsmith`: one trait per flag, its value or its state. `typed`: two traits whose types never change, the state and `<flag>_value`.
   * @default "flagsmith"
   */
  readonly traitStyle?: "flagsmith" | "typed" | undefined;
  /** Flags to send, by name. `*` matches any characters, and `exclude` wins. @default - every flag */
  readonly flags?: Selection | undefined;
  /** The identity's own traits to send: all, or those named. They may be personal data. Transient traits are not sent. @default false */
  readonly flagsmithTraits?: boolean | readonly string[] | undefined;
  /** Adds the trait `flagsmith_segments`: the names of the segments the identity is a member of. @default false */
  readonly segments?: boolean | undefined;
  /**
   * Identities to send. `*` matches any characters, and `exclude` wins. Broken clients identify all users as `undefined`, `null`, `NaN`
   * or `[object Object]`. These four are sent only if `include` has exactly that name. @default - every identity except these four
   */
  readonly identities?: Selection | undefined;
  /**
   * How anonymous identities are sent: those that Flagsmith generated. Segment may bill each of them as a user. They have 32 or 64 hex
   * digits, and hashed user ids look the same. @default "identify" - like any other identity
   */
  readonly anonymousIdentities?: "identify" | "anonymousId" | "drop" | undefined;
  /** Whether a call counts as activity of the user in Segment. @default true - like Flagsmith's own integration */
  readonly markActive?: boolean | undefined;
  /** Whether Segment gets every evaluation, or only changes since the last call that it accepted. @default "every" */
  readonly forward?: "every" | "changes" | undefined;
  /**
   * Flags of experiments. `*` matches any characters. Segment gets the event `Experiment Viewed` when a user's variation changes. The
   * option needs `forward: "changes"`. @default - none
   */
  readonly experiments?: readonly string[] | undefined;
  /**
   * Traits of flags that were deleted in Flagsmith. Each evaluation sets them to null, unless it has a value for them. Do not name a flag
   * that still exists: client-side keys may omit it, and its trait would flip. @default - none
   */
  readonly removeTraits?: readonly string[] | undefined;
  /** With `forward: "changes"`: hours after which an unchanged trait is sent again. @default 24 */
  readonly refreshHours?: number | undefined;
  /** Whether many waiting evaluations of one user become one call, which has the newest state only. @default true */
  readonly mergeBacklog?: boolean | undefined;
  /** Logs each call, with its trait values, instead of sending it. @default false */
  readonly dryRun?: boolean | undefined;
  /** Delivers nothing. Messages wait in the queue for 14 days at most. @default false */
  readonly paused?: boolean | undefined;
  /** How the logs name users: by their identity, or by its SHA-256. @default "plain" */
  readonly logUserId?: "plain" | "hashed" | undefined;
  /** Days that the logs are kept. @default 30 */
  readonly logRetentionDays?: number | undefined;
  /** Webhooks that API Gateway accepts per second, and in one burst. @default - rateLimit 1000, burstLimit 2000 */
  readonly throttle?: { readonly rateLimit?: number | undefined; readonly burstLimit?: number | undefined } | undefined;
  /** Concurrent invocations of deliver. 10 send about 800 calls per second, and Segment accepts 1,000. @default 10 */
  readonly maxConcurrency?: number | undefined;
  /** Concurrent invocations reserved for receive. AWS refuses a value that leaves fewer than 100 to all other functions. @default - none */
  readonly reservedConcurrency?: number | undefined;
  /** Address that gets a mail for each alarm. @default - none */
  readonly alarmEmail?: string | undefined;
  /** ARN of an SNS topic that gets each alarm. @default - none */
  readonly alarmTopicArn?: string | undefined;
  /** URL of your own runbook. Each alarm names it. @default - the alarm's article in this product's runbook */
  readonly runbookUrl?: string | undefined;
  /** Hours without any webhook after which an alarm fires. @default - none */
  readonly expectTraffic?: number | undefined;
  /** ARN of the customer-managed KMS key that encrypts the two parameters. @default - the AWS-managed key of SSM */
  readonly kmsKeyArn?: string | undefined;
}

type Optional = "kmsKeyArn" | "alarmEmail" | "alarmTopicArn" | "runbookUrl" | "expectTraffic" | "reservedConcurrency";

/** Options with every default filled in. */
export type ResolvedOptions = {
  readonly [Name in Exclude<keyof Options, Optional>]-?: Exclude<Options[Name], undefined>;
} & Pick<Options, Optional>;

export type OptionName = keyof Options;

const US = "https://api.segment.io";
const EU = "https://events.eu1.segmentapis.com";

/** Defaults of all options. `segmentEndpoint` depends on `segmentRegion`. */
export const DEFAULTS: ResolvedOptions = {
  segmentRegion: "us",
  segmentEndpoint: US,
  traitPrefix: "",
  traitStyle: "flagsmith",
  flags: {},
  flagsmithTraits: false,
  segments: false,
  identities: {},
  anonymousIdentities: "identify",
  markActive: true,
  forward: "every",
  experiments: [],
  removeTraits: [],
  refreshHours: 24,
  mergeBacklog: true,
  dryRun: false,
  paused: false,
  logUserId: "plain",
  logRetentionDays: 30,
  throttle: { rateLimit: 1_000, burstLimit: 2_000 },
  maxConcurrency: 10,
};

/** Fills in the defaults. An undefined option gets its default as well. */
export function resolveOptions(options: Options): ResolvedOptions {
  const segmentEndpoint = options.segmentEndpoint ?? (options.segmentRegion === "eu" ? EU : US);
  const throttle = { ...DEFAULTS.throttle, ...given(options.throttle ?? {}) };
  return { ...DEFAULTS, ...given(options), segmentEndpoint, throttle };
}

function given(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
