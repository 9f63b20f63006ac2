export type FunctionName = "receive" | "deliver";

/** Returns the command that creates a parameter. If it exists, SSM refuses the command without `--overwrite`. `value` is shell-quoted. */
export function createParameterCommand(
  name: string,
  value: string,
  { region, keyId }: { readonly region: string; readonly keyId: string | undefined },
): string {
  const key = keyId === undefined ? "" : ` --key-id ${keyId}`;
  return `aws ssm put-parameter --region ${region} --name ${name} --type SecureString${key} --value ${value}`;
}

/** Documents and messages show these texts in place of a secret. If a parameter holds one, the operator pasted a command unchanged. */
export const PLACEHOLDERS = { webhookSecret: "<the secret set in Flagsmith>", writeKey: "<the write key>" } as const;

/** Field `event`, with the level of its entry. Each webhook and each message has one outcome. The last five are logged in addition to it. */
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
  "not-recorded": "warn",
  "unknown-source": "warn",
  misconfigured: "error",
  "log-level-hides-entries": "critical",
} as const;

export type LogEvent = keyof typeof LOG_EVENTS;

/**
 * Field `code`: a stable name for the cause. The table in lambda/README.md explains each one. If AWS refused a call, the code is AWS's
 * own name, such as `AccessDeniedException`.
 */
export const LOG_CODES = [
  "signature-missing",
  "signature-wrong",
  "invalid-evaluation",
  "other-event",
  "placeholder-identity",
  "unselected-identity",
  "nameless-identity",
  "parameter-missing",
  "parameter-empty",
  "parameter-placeholder",
  "parameter-unreadable",
  "slow-down",
  "write-key-refused",
  "endpoint-refused",
  "server-error",
  "no-answer",
  "not-attempted",
  "table-failed",
  "unknown-version",
  "unreadable-message",
  "configuration",
  "internal",
] as const;

export type LogCode = (typeof LOG_CODES)[number];

/** Fields of the log entries, by subject. Saved queries and metric filters use these names. */
export const LOG_FIELDS = {
  which: ["event", "requestId", "apiRequestId", "messageId", "mergedInto", "userId", "environment", "sourceIp"],
  size: ["traitCount", "calls", "bytes", "renamed", "overwritten", "cut", "reservedColumns", "sameColumn", "experiments"],
  time: ["durationMs", "latencyMs", "segmentMs", "ageMs"],
  attempt: ["status", "attempt", "retryInSeconds", "held", "visibility"],
  cause: ["code", "actor", "reason", "parameter", "remedy", "call", "error"],
} as const;

export type LogField = (typeof LOG_FIELDS)[keyof typeof LOG_FIELDS][number];
