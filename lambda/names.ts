export type FunctionName = "receive" | "deliver";

/** What Segment and AWS are told the calls come from. */
export const LIBRARY = { name: "flagsmith-to-segment", version: "1.0.0" } as const;

/** Header `user-agent` of every request: AWS WAF's core rule set refuses requests without one. */
export const USER_AGENT = `${LIBRARY.name}/${LIBRARY.version}`;

/** SSM parameters of a Flagsmith environment; the operator creates them, as SecureStrings. */
export function parameterNames(environmentName: string): {
  readonly webhookSecret: string;
  readonly writeKey: string;
} {
  const path = `/flagsmith-to-segment/${environmentName}`;
  return { webhookSecret: `${path}/webhook-secret`, writeKey: `${path}/segment-write-key` };
}

/** The command that creates a parameter. Where it exists, SSM refuses it without `--overwrite`. `value` as in a shell. */
export function createParameterCommand(
  name: string,
  value: string,
  where: { readonly region?: string | undefined; readonly keyId?: string | undefined } = {},
): string {
  const region = where.region === undefined ? "" : ` --region ${where.region}`;
  const key = where.keyId === undefined ? "" : ` --key-id ${where.keyId}`;
  return `aws ssm put-parameter${region} --name ${name} --type SecureString${key} --value ${value}`;
}

/** What documents and messages write where a secret belongs. A parameter that holds one was pasted as it stood: it is no secret. */
export const PLACEHOLDERS = { webhookSecret: "<the secret set in Flagsmith>", writeKey: "<the write key>" } as const;

/** Messages of a FIFO queue that Lambda hands to deliver at once: SQS's own limit. */
export const BATCH_SIZE = 10;

/**
 * The value of field `event`, with the level of the line. Each webhook in receive and each message in deliver has one
 * outcome line; the last five events are lines beside those.
 */
export const LOG_EVENTS = {
  accepted: "info",
  ignored: "info",
  unauthorized: "warn",
  invalid: "warn",
  unavailable: "error",
  delivered: "info",
  merged: "info",
  unchanged: "info",
  "dry-run": "info",
  retrying: "warn",
  "dead-lettered": "error",
  "parameter-stale": "warn",
  "delivered-unknown": "warn",
  "unknown-source": "warn",
  "level-raised": "warn",
  misconfigured: "error",
} as const;

export type LogEvent = keyof typeof LOG_EVENTS;

/** Fields of the lines. Saved queries and metric filters are written in these names. */
export const LOG_FIELDS = [
  "event",
  "requestId",
  "apiRequestId",
  "sourceIp",
  "messageId",
  "userId",
  "environment",
  "traitCount",
  "calls",
  "bytes",
  "durationMs",
  "latencyMs",
  "segmentMs",
  "mergedInto",
  "ageMs",
  "status",
  "attempt",
  "retryInSeconds",
  "held",
  "visibility",
  "code",
  "actor",
  "reason",
  "parameter",
  "remedy",
  "renamed",
  "overwritten",
  "cut",
  "steps",
  "call",
  "error",
] as const;

export type LogField = (typeof LOG_FIELDS)[number];
