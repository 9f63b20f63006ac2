/** Who can make the fault go away. */
export type Actor = "sender" | "operator" | "aws";

/**
 * Root of every error this product throws on purpose. Messages are safe to log and to answer: they never hold a body,
 * a secret, a signature or a trait value.
 */
export abstract class FlagsmithToSegmentError extends Error {
  /** Stable, machine-readable; the field `code` of the log line. */
  abstract readonly code: string;
  /** Whether the same input can succeed later without anyone changing it. */
  abstract readonly retryable: boolean;
  abstract readonly actor: Actor;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The signed body is not an evaluation. `path` names the field, the message what was expected there. */
export class InvalidEvaluationError extends FlagsmithToSegmentError {
  readonly code = "invalid-evaluation";
  readonly retryable = false;
  readonly actor = "sender";

  constructor(
    readonly path: string,
    expected: string,
  ) {
    super(`${path}: expected ${expected}`);
  }
}

/** A message in the queue is not one that receive wrote. */
export class UnreadableMessageError extends FlagsmithToSegmentError {
  readonly code = "unreadable-message";
  readonly retryable = false;
  readonly actor = "operator";

  constructor(expected: string) {
    super(`queue message: expected ${expected}`);
  }
}

/** The environment of a function is incomplete or wrong. Gathers every fault, so that one deploy mends them all. */
export class ConfigurationError extends FlagsmithToSegmentError {
  readonly code = "configuration";
  readonly retryable = false;
  readonly actor = "operator";

  constructor(readonly faults: readonly string[]) {
    super(`${faults.length} configuration fault(s):\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
  }
}

/**
 * A call to an AWS API failed after its own retries. AWS's message is kept for refused access only: for other faults it
 * may quote the request, and with it trait values.
 */
export class AwsCallError extends FlagsmithToSegmentError {
  readonly actor: Actor;

  constructor(
    readonly action: string,
    readonly code: string,
    readonly retryable: boolean,
    options?: ErrorOptions & { readonly detail?: string },
  ) {
    super(`${action} failed: ${code}${options?.detail ? ` (${options.detail})` : ""}`, options);
    this.actor = retryable ? "aws" : "operator";
  }
}

/** A parameter in SSM Parameter Store can't be used. `remedy` is the command that mends it. */
export class ParameterError extends FlagsmithToSegmentError {
  readonly retryable = true;
  readonly actor: Actor;

  constructor(
    readonly parameter: string,
    readonly code: "parameter-missing" | "parameter-empty" | "parameter-unreadable",
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${parameter}: ${code}`, options);
    // SSM throttled or silent passes by itself; all else waits for the operator.
    this.actor = options?.cause instanceof AwsCallError ? options.cause.actor : "operator";
  }
}
