export const MINUTE_MS = 60_000;
export const MINUTE_SECONDS = 60;
export const HOUR_SECONDS = 60 * MINUTE_SECONDS;
export const DAY_SECONDS = 24 * HOUR_SECONDS;

/** One request to SSM, SQS or DynamoDB. They answer within tens of milliseconds, so a longer wait counts as a failure. */
const AWS_ATTEMPT_MS = 1_500;
/** One call to AWS with all its attempts, if the caller has no deadline of its own. */
const AWS_CALL_MS = 2 * AWS_ATTEMPT_MS;
/** Receive reads one parameter and sends to one queue, each with several attempts. After this time it answers 503. */
const RECEIVE_BUDGET_MS = 2 * AWS_CALL_MS;
/** Segment usually answers within 300 ms. Slow proxies and distant regions need seconds. */
const SEGMENT_ATTEMPT_MS = 8_000;
/** The longest time for one unit: read the record, read the key, remove, send, read the key again, send again, add. */
const DELIVER_UNIT_MS = 5 * AWS_CALL_MS + 2 * SEGMENT_ATTEMPT_MS;
/** The work after the last answer: send to the dead-letter queue, then set the visibility. */
const DELIVER_END_MS = 2 * AWS_CALL_MS + 1_000;
/** The longest unit, and time to begin others. While Segment is slow but answers, a unit needs less than half of this time. */
const DELIVER_FUNCTION_MS = 60_000;

/** Every time-out of the pipeline, for infra and both functions. Each time-out that contains others is derived from them. */
export const TIMING = {
  /** Flagsmith's own time-out for a webhook. */
  senderTimeoutMs: 10_000,
  awsAttemptMs: AWS_ATTEMPT_MS,
  awsCallMs: AWS_CALL_MS,
  /** Maximum. Receive uses its whole budget while AWS throttles, because Flagsmith repeats a webhook only twice, within 3 s. */
  awsAttempts: 12,
  /** The longest pause before the second attempt. It doubles with each attempt up to `awsMaxPauseMs`, and half of it is random. */
  awsPauseMs: 50,
  awsMaxPauseMs: 1_000,
  /** A socket that was idle for this long is not used again. Many servers close it after 5 s, and a frozen container does not notice. */
  maxIdleMs: 4_000,
  receiveBudgetMs: RECEIVE_BUDGET_MS,
  /** Includes time to start the container and to answer. */
  receiveFunctionMs: RECEIVE_BUDGET_MS + 2_000,
  /** One attempt at Segment, from connecting to the end of the answer. */
  segmentAttemptMs: SEGMENT_ATTEMPT_MS,
  /** Time to connect. TCP sends a lost SYN again after 1 s, so this time-out and `segmentAddressMs` both allow for one. */
  segmentConnectMs: 3_500,
  /** Time for each address of the host name. The addresses are tried in sequence. */
  segmentAddressMs: 1_200,
  /** A unit begins only if this much time is left: the longest unit and the work after it. */
  deliverUnitMs: DELIVER_UNIT_MS + DELIVER_END_MS,
  deliverFunctionMs: DELIVER_FUNCTION_MS,
  /** AWS recommends six times the function's time-out for its queue. */
  visibilityMs: 6 * DELIVER_FUNCTION_MS,
  /** How long a parameter read from SSM is used before it is read again. */
  parameterTtlMs: 5 * MINUTE_MS,
  /** Shortest time per container between two reads after a wrong signature. Forged webhooks must not use up SSM's quota. */
  secretRefreshMs: 10_000,
  /** The same for the write key. It can be short, because only Segment refuses a key: strangers can't cause these reads. */
  writeKeyRefreshMs: 1_000,
  /** After a failed read, the last value is used for this long before SSM is asked again. */
  parameterStaleMs: 10_000,
  /** The same if there is no last value; ± 20 %. Strangers can cause these reads, and SSM's quota is small. */
  parameterFailureMs: 1_000,
} as const;

/** Every duration of the retry policy (`deliver/retry-policy.ts`), in seconds. */
export const RETRY_SECONDS = {
  /** A retry waits for half of the message's age, within these bounds. */
  minWait: 2,
  maxWait: 10 * MINUTE_SECONDS,
  /** Maximum while the endpoint is healthy. A user whose calls succeed again then does not wait for long. */
  maxWaitWhileHealthy: MINUTE_SECONDS,
  /** Maximum for messages that were not attempted: one user's `Retry-After` must not delay other users. */
  maxWaitNotAttempted: MINUTE_SECONDS,
  /** Maximum for the wait that an answer asks for. A wrong header must not delay a user's traits for a day. */
  maxAsked: 30 * MINUTE_SECONDS,
  /** Minimum from the 300th receive on. */
  manyReceivesWait: 30 * MINUTE_SECONDS,
  unknownVersionWait: MINUTE_SECONDS,
  /** A deploy updates the functions in any order, so deliver may receive messages of the next release before its own update. */
  unknownVersionAge: HOUR_SECONDS,
  /** Failures of younger messages do not count, because an outage looks healthy in its first half minute. */
  isolatedFailureAge: 3 * HOUR_SECONDS,
  /** SQS deletes a message silently after 14 days, so deliver dead-letters it earlier. */
  expiredAge: 12 * DAY_SECONDS,
  /** Attempts for other users count for health for this long. */
  healthWindow: 10 * MINUTE_SECONDS,
  /** If the last failure is older than this, a new streak begins. */
  streakWindow: HOUR_SECONDS,
} as const;

export type RetrySeconds = Readonly<Record<keyof typeof RETRY_SECONDS, number>>;

/** Clock, random numbers and durations. Tests and the local run replace them. */
export interface Machine {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly timing: Readonly<Record<keyof typeof TIMING, number>>;
  readonly retrySeconds: RetrySeconds;
}

/**
 * Whether `interval` has passed since `since`. All three have the same unit. It is also true if `since` is in the future: a container's
 * clock may have been minutes ahead when the value was cached, and the cache must not live for minutes longer.
 */
export function hasPassed(since: number, now: number, interval: number): boolean {
  return now < since || now - since >= interval;
}
