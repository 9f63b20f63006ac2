import type { LogCode } from "./names";

/** Same as ES2022's `ErrorOptions`, which apps with an older `lib` do not have. */
export interface ErrorCause {
  readonly cause?: unknown;
}

/** Who must act to end the error. */
export type Actor = "sender" | "operator" | "aws";

/**
 * Base class of every error that this product throws on purpose. Its messages are safe in logs and responses: they never hold a body, a
 * secret, a signature or a trait value.
 */
export abstract class FlagsmithToSegmentError extends Error {
  /** Stable and machine-readable. It is the field `code` of the log entry. */
  abstract readonly code: string;
  abstract readonly actor: Actor;

  constructor(message: string, options?: ErrorCause) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The signed body is not an evaluation. `path` names the field, and the message names the expected type. */
export class InvalidEvaluationError extends FlagsmithToSegmentError {
  readonly code = "invalid-evaluation" satisfies LogCode;
  readonly actor = "sender";

  constructor(path: string, expected: string) {
    super(`${path}: expected ${expected}`);
  }
}

/** Receive did not write this message in the queue. */
export class UnreadableMessageError extends FlagsmithToSegmentError {
  readonly code = "unreadable-message" satisfies LogCode;
  readonly actor = "operator";

  constructor(expected: string, options?: ErrorCause) {
    super(`queue message: expected ${expected}`, options);
  }
}

/** The options or a function's environment are wrong. The error lists every problem, so that one deploy can fix them all. */
export class ConfigurationError extends FlagsmithToSegmentError {
  readonly code = "configuration" satisfies LogCode;
  readonly actor = "operator";

  constructor(readonly errors: readonly string[]) {
    super(`${errors.length} configuration error(s):\n${errors.map((error) => `  - ${error}`).join("\n")}`);
  }
}

const AFTER_DEPLOY = "If the stack was deployed in the last two minutes, wait.";
const DRIFT = "CloudFormation's drift detection shows what was changed.";

/** Remedies for a call that AWS refused, by its code. The first match counts. Errors that end by themselves have no remedy. */
const AWS_REMEDIES: readonly (readonly [codes: RegExp, remedy: string])[] = [
  [
    /AccessDenied|NotAuthorized/i,
    `${AFTER_DEPLOY} Otherwise a right is missing that the reason names: undo the change of the role, the resource's policy or the key's. ${DRIFT}`,
  ],
  [/KMS/i, "The KMS key is disabled, deleted or of another region: enable it again, or set another one."],
  [
    /NonExistentQueue|QueueDoesNotExist|ResourceNotFound/,
    `${AFTER_DEPLOY} Otherwise the queue or the table was deleted, and an update does not create it again: deploy a new stack. ${DRIFT}`,
  ],
];

/**
 * A call to an AWS API failed after its own retries. AWS's message is kept only for refused access: for other errors it may quote the
 * request, including trait values.
 */
export class AwsCallError extends FlagsmithToSegmentError {
  /** `aws`: the error ends by itself. `operator`: it does not. */
  readonly actor: Actor;
  /** undefined = no remedy is known. */
  readonly remedy: string | undefined;

  constructor(
    action: string,
    readonly code: string,
    readonly retryable: boolean,
    cause: { detail?: string } & ErrorCause = {},
  ) {
    super(`${action} failed: ${code}${cause.detail ? ` (${cause.detail})` : ""}`, cause);
    this.actor = retryable ? "aws" : "operator";
    this.remedy = retryable ? undefined : AWS_REMEDIES.find(([codes]) => codes.test(code))?.[1];
  }
}

/** Only with option `forward: "changes"`: DynamoDB failed or refused to read or write a user's record. */
export class TableError extends FlagsmithToSegmentError {
  readonly code = "table-failed" satisfies LogCode;
  readonly actor: Actor;
  readonly remedy: string | undefined;

  constructor(table: string, cause: AwsCallError) {
    super(`table ${table}`, { cause });
    // Another invocation wrote a newer record meanwhile. This needs no action.
    this.actor = cause.code === "ConditionalCheckFailedException" ? "aws" : cause.actor;
    this.remedy = cause.remedy;
  }
}

/** A parameter in SSM Parameter Store can't be used. `remedy` says how to fix it. */
export class ParameterError extends FlagsmithToSegmentError {
  constructor(
    readonly parameter: string,
    readonly code: Extract<LogCode, `parameter-${string}`>,
    readonly actor: Actor,
    readonly remedy: string,
    options?: ErrorCause,
  ) {
    super(`${parameter}: ${code}`, options);
  }
}

/** A request exceeded its time limit. */
export class TimeoutError extends Error {
  readonly code = "timeout";
}

/** Returns a short, safe name for a network error: `timeout`, or the code of Node.js or undici, such as `ECONNREFUSED`. */
export function codeOf(error: unknown): string {
  const { code } = Object(error);
  return typeof code === "string" ? code : "network";
}
