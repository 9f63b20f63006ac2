export const MINUTE_MS = 60_000;
export const MINUTE_SECONDS = 60;
export const HOUR_SECONDS = 60 * MINUTE_SECONDS;
export const DAY_SECONDS = 24 * HOUR_SECONDS;

/** One request to SSM, SQS or DynamoDB. They answer within tens of milliseconds, so a longer silence is a failure. */
const AWS_ATTEMPT_MS = 1_500;
/** One call with all its attempts, where the caller has no deadline of its own. */
const AWS_CALL_MS = 2 * AWS_ATTEMPT_MS;
/** Receive reads one parameter and sends to one queue, each with its attempts. Then it answers 503. */
const RECEIVE_BUDGET_MS = 2 * AWS_CALL_MS;
/** Segment answers within 300 ms as a rule; slow proxies and distant regions need seconds. */
const SEGMENT_ATTEMPT_MS = 8_000;
/** The longest that one unit can take: read the record again, key, remove, send, key again, send, add. */
const DELIVER_UNIT_MS = 5 * AWS_CALL_MS + 2 * SEGMENT_ATTEMPT_MS;
/** What follows once all answers are in: the dead-letter queue, then the visibility. */
const DELIVER_END_MS = 2 * AWS_CALL_MS + 1_000;
/** One unit at its longest, and time to begin others: while Segment is slow but answers, each takes less than half of this. */
const DELIVER_FUNCTION_MS = 60_000;

/** Every time-out of the pipeline, for infra and both functions. Each is derived from the one that it must stay within. */
export const TIMING = {
  /** Flagsmith gives up on a webhook after this. */
  senderTimeoutMs: 10_000,
  awsAttemptMs: AWS_ATTEMPT_MS,
  awsCallMs: AWS_CALL_MS,
  /** At most. They use up receive's budget while AWS throttles, because Flagsmith repeats a webhook twice within 3 s only. */
  awsAttempts: 12,
  /** The longest pause before the second attempt. It doubles each time up to `awsMaxPauseMs`, and half of it is random. */
  awsPauseMs: 50,
  awsMaxPauseMs: 1_000,
  /** An idle socket is not used after this: many servers close it after 5 s, which a frozen container does not notice. */
  maxIdleMs: 4_000,
  receiveBudgetMs: RECEIVE_BUDGET_MS,
  /** With time for the start of a container and for the answer. */
  receiveFunctionMs: RECEIVE_BUDGET_MS + 2_000,
  /** One attempt at Segment, from connecting to the end of the answer. */
  segmentAttemptMs: SEGMENT_ATTEMPT_MS,
  /** Connecting. A lost SYN is sent again after 1 s, so both this and `segmentAddressMs` survive one. */
  segmentConnectMs: 3_500,
  /** Each address of the host name, one after the other. */
  segmentAddressMs: 1_200,
  /** No unit begins with less time left than it may take, and what follows it. */
  deliverUnitMs: DELIVER_UNIT_MS + DELIVER_END_MS,
  deliverFunctionMs: DELIVER_FUNCTION_MS,
  /** AWS's own rule for a queue that feeds a function. */
  visibilityMs: 6 * DELIVER_FUNCTION_MS,
  /** How long a parameter read from SSM is used before it is read again. */
  parameterTtlMs: 5 * MINUTE_MS,
  /** How often a secret that does not match is read again, per container, at most: forged webhooks must not use up SSM. */
  secretRefreshMs: 10_000,
  /** The same for the write key, which only Segment refuses, so rarely and never because of strangers. */
  writeKeyRefreshMs: 1_000,
  /** How long the last value is used after SSM failed to give a new one, before SSM is asked again. */
  parameterStaleMs: 10_000,
  /** The same where there is no last value; ± 20 %. Strangers can make receive ask, and SSM's quota is small. */
  parameterFailureMs: 1_000,
} as const;

/** Every duration of the retry policy (`deliver/retry-policy.ts`), in seconds. */
export const RETRY_SECONDS = {
  /** A retry waits for half of the message's age, within these bounds. */
  minWait: 2,
  maxWait: 10 * MINUTE_SECONDS,
  /** While the endpoint is healthy, so that a user whose failure ends does not wait for long. */
  maxWaitWhileHealthy: MINUTE_SECONDS,
  /** For messages that were not attempted: one user's `Retry-After` must not delay other users. */
  maxWaitNotAttempted: MINUTE_SECONDS,
  /** Of what an answer asks for: a mistake in a header must not delay a user's traits for a day. */
  maxAsked: 30 * MINUTE_SECONDS,
  /** From the 300th receive on. */
  manyReceivesWait: 30 * MINUTE_SECONDS,
  unknownVersionWait: MINUTE_SECONDS,
  /** A deploy updates the functions in either order, so deliver may meet messages of the next release before its own update. */
  unknownVersionAge: HOUR_SECONDS,
  /** Failures of younger messages do not count, because an outage looks healthy in its first half minute. */
  isolatedFailureAge: 3 * HOUR_SECONDS,
  /** SQS deletes a message after 14 days without a record. */
  expiredAge: 12 * DAY_SECONDS,
  /** How far back other users' attempts count for health. */
  healthWindow: 10 * MINUTE_SECONDS,
  /** A streak begins anew if its last failure is older. */
  streakWindow: HOUR_SECONDS,
} as const;

export type RetrySeconds = Readonly<Record<keyof typeof RETRY_SECONDS, number>>;

/** What the functions take from the machine, so that tests and the local run can replace it. */
export interface Machine {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly timing: Readonly<Record<keyof typeof TIMING, number>>;
  readonly retrySeconds: RetrySeconds;
}

/**
 * Whether `interval` has passed since `since`, all in one unit. A clock that went back counts as well: a container's clock may have
 * been minutes ahead when something was remembered, and that must not be remembered for minutes longer.
 */
export function hasPassed(since: number, now: number, interval: number): boolean {
  return now < since || now - since >= interval;
}
