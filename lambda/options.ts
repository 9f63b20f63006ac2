import type { Selection } from "./domain/selection";

/** Everything a user can choose: construct props, `cdk.json` context keys and, where a function needs it, its environment. */
export interface Options {
  /**
   * Where the Segment workspace lives. The wrong one loses events silently: Segment answers 200 all the same.
   * @default "us"
   */
  readonly segmentRegion?: "us" | "eu";
  /**
   * Base URL of the Segment API; overrides `segmentRegion`.
   * @default - the endpoint of `segmentRegion`
   */
  readonly segmentEndpoint?: string;
  /**
   * Put before each flag's name.
   * @default "" - flags keep their names
   */
  readonly traitPrefix?: string;
  /**
   * `flagsmith`: one trait a flag, its value or its state. `typed`: two, the state and `<flag>_value`, whose types never change.
   * @default "flagsmith"
   */
  readonly traitStyle?: "flagsmith" | "typed";
  /**
   * Flags to send, by name; `*` stands for any characters, `exclude` wins.
   * @default - every flag
   */
  readonly flags?: Selection;
  /**
   * The identity's own traits that go along: all, or those named. May be personal data. Transient ones are never sent.
   * @default false
   */
  readonly flagsmithTraits?: boolean | readonly string[];
  /**
   * Adds the trait `flagsmith_segments`: the names of the segments the identity is a member of.
   * @default false
   */
  readonly segments?: boolean;
  /**
   * What becomes of identities without a name, each of which may be billed as a user by Segment.
   * @default "identify" - as any other
   */
  readonly anonymousIdentities?: "identify" | "anonymousId" | "drop";
  /**
   * Whether a call counts as activity of the person in Segment.
   * @default true - as Flagsmith's own integration
   */
  readonly markActive?: boolean;
  /**
   * Whether Segment gets every evaluation, or only what changed since the last one it took of that person.
   * @default "every"
   */
  readonly forward?: "every" | "changes";
  /**
   * Hours after which an unchanged trait is sent again, with `forward: "changes"`.
   * @default 24
   */
  readonly refreshHours?: number;
  /**
   * Everything but the call to Segment, which is logged instead, trait values included.
   * @default false
   */
  readonly dryRun?: boolean;
  /**
   * How the logs name people: by their identity, or by its SHA-256.
   * @default "plain"
   */
  readonly logUserId?: "plain" | "hashed";
  /**
   * Share of the lines about successes that tell their steps, as lines about failures always do.
   * @default 0
   */
  readonly logSampling?: number;
  /**
   * Days that the logs are kept.
   * @default 30
   */
  readonly logRetentionDays?: number;
  /**
   * Webhooks a second, and at once, that API Gateway lets in.
   * @default - rateLimit 1000, burstLimit 2000
   */
  readonly throttle?: { readonly rateLimit?: number; readonly burstLimit?: number };
  /**
   * Address that gets a mail for each alarm.
   * @default - none
   */
  readonly alarmEmail?: string;
  /**
   * ARN of an SNS topic that gets each alarm.
   * @default - none
   */
  readonly alarmTopicArn?: string;
  /**
   * ARN of the customer-managed KMS key that the two parameters are encrypted with.
   * @default - the AWS-managed key of SSM
   */
  readonly kmsKeyArn?: string;
}

type Optional = "kmsKeyArn" | "alarmEmail" | "alarmTopicArn";

/** Options with every default filled in. */
export type ResolvedOptions = Required<Omit<Options, "segmentEndpoint" | Optional>> &
  Pick<Options, Optional> & { readonly segmentEndpoint: string };

export const SEGMENT_ENDPOINTS = {
  us: "https://api.segment.io",
  eu: "https://events.eu1.segmentapis.com",
} as const;

const DEFAULTS = {
  segmentRegion: "us",
  traitPrefix: "",
  traitStyle: "flagsmith",
  flags: {},
  flagsmithTraits: false,
  segments: false,
  anonymousIdentities: "identify",
  markActive: true,
  forward: "every",
  refreshHours: 24,
  dryRun: false,
  logUserId: "plain",
  logSampling: 0,
  logRetentionDays: 30,
  throttle: { rateLimit: 1000, burstLimit: 2000 },
} as const satisfies Options;

export function resolveOptions(options: Options): ResolvedOptions {
  const segmentEndpoint = options.segmentEndpoint ?? SEGMENT_ENDPOINTS[options.segmentRegion ?? "us"];
  // A prop that a construct passes on as undefined was not given.
  const given: Options = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  );
  return { ...DEFAULTS, ...given, segmentEndpoint };
}
