import type { FunctionName } from "./option-rules";

export { ConfigurationError } from "./domain/errors";
export * from "./option-environment";
export * from "./option-rules";
export * from "./options";
export { TIMING } from "./timing";

/** What Segment is told the calls come from; not read from `package.json`, which is another one in an app that copied us. */
export const LIBRARY = { name: "flagsmith-to-segment", version: "1.0.0" } as const;

/** Variables that infra sets for each function from its own resources; options come besides, see `OPTIONS`. */
export const ENV = {
  stackName: "STACK_NAME",
  webhookSecretParameter: "WEBHOOK_SECRET_PARAMETER",
  writeKeyParameter: "WRITE_KEY_PARAMETER",
  queueUrl: "QUEUE_URL",
  deadLetterQueueUrl: "DEAD_LETTER_QUEUE_URL",
  /** Only with `forward: "changes"`. */
  deliveredTable: "DELIVERED_TABLE",
} as const;

/** Exactly what each function is given and reads. */
export const FUNCTION_ENV = {
  receive: [ENV.stackName, ENV.webhookSecretParameter, ENV.queueUrl],
  deliver: [ENV.writeKeyParameter, ENV.queueUrl, ENV.deadLetterQueueUrl, ENV.deliveredTable],
} as const satisfies Record<FunctionName, readonly string[]>;

/** SSM parameters of a Flagsmith environment; the operator creates them, as SecureStrings. */
export function parameterNames(environmentName: string): {
  readonly webhookSecret: string;
  readonly writeKey: string;
} {
  const path = `/flagsmith-to-segment/${environmentName}`;
  return { webhookSecret: `${path}/webhook-secret`, writeKey: `${path}/segment-write-key` };
}

/** The command that creates or replaces a parameter; `placeholder` stands where the operator puts the value. */
export function putParameterCommand(
  name: string,
  placeholder: string,
  where: { readonly region?: string; readonly keyId?: string } = {},
): string {
  const region = where.region === undefined ? "" : ` --region ${where.region}`;
  const key = where.keyId === undefined ? "" : ` --key-id ${where.keyId}`;
  return `aws ssm put-parameter${region} --name ${name} --type SecureString${key} --overwrite --value '<${placeholder}>'`;
}

export const SECRET_PLACEHOLDER = "the secret set in Flagsmith";
export const WRITE_KEY_PLACEHOLDER = "the write key of the Segment source";

/** Attributes of the messages in both queues. */
export const MESSAGE_ATTRIBUTES = {
  /** Flagsmith's environment number, for the log of deliver. */
  environment: "environment",
  /** On a dead letter: the code of what went wrong. */
  reason: "reason",
  /** On a dead letter: Segment's status, where there was one. */
  status: "status",
  /** On a dead letter: the id at Segment, which survives a redrive. */
  messageId: "messageId",
} as const;

/** The value of field `event`: one outcome line for each webhook in receive and for each message in deliver; the last two besides. */
export const LOG_EVENTS = {
  accepted: "accepted",
  ignored: "ignored",
  unauthorized: "unauthorized",
  invalid: "invalid",
  unavailable: "unavailable",
  delivered: "delivered",
  unchanged: "unchanged",
  dryRun: "dry-run",
  retrying: "retrying",
  deadLettered: "dead-lettered",
  parameterStale: "parameter-stale",
  deliveredUnknown: "delivered-unknown",
} as const;

export type LogEvent = (typeof LOG_EVENTS)[keyof typeof LOG_EVENTS];

/** Fields of the outcome lines. Saved queries and metric filters are written in these names. */
export const LOG_FIELDS = {
  event: "event",
  requestId: "requestId",
  apiRequestId: "apiRequestId",
  sourceIp: "sourceIp",
  messageId: "messageId",
  userId: "userId",
  environment: "environment",
  traitCount: "traitCount",
  calls: "calls",
  bytes: "bytes",
  durationMs: "durationMs",
  latencyMs: "latencyMs",
  segmentMs: "segmentMs",
  ageMs: "ageMs",
  status: "status",
  attempt: "attempt",
  retryInSeconds: "retryInSeconds",
  held: "held",
  visibility: "visibility",
  code: "code",
  actor: "actor",
  reason: "reason",
  parameter: "parameter",
  remedy: "remedy",
  renamed: "renamed",
  overwritten: "overwritten",
  cut: "cut",
  steps: "steps",
  call: "call",
} as const;

export type LogField = keyof typeof LOG_FIELDS;

/** Messages of a FIFO queue that Lambda hands to deliver at once, at most: SQS's own limit. */
export const BATCH_SIZE = 10;
