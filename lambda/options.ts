/** Names to include and to exclude. `*` stands for any run of characters; `exclude` wins over `include`. */
export interface Selection {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/** Everything that can be configured, as props of the construct and as context in `cdk.json`. */
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
  /**
   * Identities to send; `*` stands for any characters, `exclude` wins. Broken clients identify all users as `undefined`, `null`, `NaN`
   * or `[object Object]`: these are sent only if `include` has exactly that name. @default - every other identity
   */
  readonly identities?: Selection | undefined;
  /**
   * How identities are sent that Flagsmith generated, each of which Segment may bill as a user. They have 32 or 64 hex digits, as
   * hashed user ids have. @default "identify" - as any other
   */
  readonly anonymousIdentities?: "identify" | "anonymousId" | "drop" | undefined;
  /** Whether a call counts as activity of the user in Segment. @default true - as Flagsmith's own integration */
  readonly markActive?: boolean | undefined;
  /** Whether Segment gets every evaluation, or only what changed since the last call that it accepted. @default "every" */
  readonly forward?: "every" | "changes" | undefined;
  /**
   * Flags of experiments, `*` stands for any characters: Segment gets the event `Experiment Viewed` when a user's variation changes. It
   * needs `forward: "changes"`. @default - none
   */
  readonly experiments?: readonly string[] | undefined;
  /**
   * Traits that each evaluation sets to null, unless it sets them: those of flags that were deleted in Flagsmith. A flag that exists, but
   * that client-side keys omit, would flip. @default - none
   */
  readonly removeTraits?: readonly string[] | undefined;
  /** Hours after which an unchanged trait is sent again, with `forward: "changes"`. @default 24 */
  readonly refreshHours?: number | undefined;
  /** Whether many waiting evaluations of one user become one call: the newest state, not each change. @default true */
  readonly mergeBacklog?: boolean | undefined;
  /** Logs each call instead of sending it, trait values included. @default false */
  readonly dryRun?: boolean | undefined;
  /** Delivers nothing: everything waits in the queue, for 14 days at most. @default false */
  readonly paused?: boolean | undefined;
  /** How the logs name users: by their identity, or by its SHA-256. @default "plain" */
  readonly logUserId?: "plain" | "hashed" | undefined;
  /** Days that the logs are kept. @default 30 */
  readonly logRetentionDays?: number | undefined;
  /** Webhooks that API Gateway accepts per second, and in one burst. @default - rateLimit 1000, burstLimit 2000 */
  readonly throttle?: { readonly rateLimit?: number | undefined; readonly burstLimit?: number | undefined } | undefined;
  /** Concurrent invocations of deliver: 10 make about 800 calls per second, of the 1,000 that Segment accepts. @default 10 */
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

const US = "https://api.segment.io";
const EU = "https://events.eu1.segmentapis.com";

/** What an option is that was not given. `segmentEndpoint` follows `segmentRegion`. */
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

/** Fills in the defaults. An option that is undefined was not given. */
export function resolveOptions(options: Options): ResolvedOptions {
  const segmentEndpoint = options.segmentEndpoint ?? (options.segmentRegion === "eu" ? EU : US);
  const throttle = { ...DEFAULTS.throttle, ...given(options.throttle ?? {}) };
  return { ...DEFAULTS, ...given(options), segmentEndpoint, throttle };
}

function given(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
