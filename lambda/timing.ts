/** One request to SSM, SQS or DynamoDB: they answer within tens of milliseconds, so silence for longer is a fault. */
const AWS_ATTEMPT = 1_500;
/** One call with all its attempts, where the caller has no deadline of its own. */
const AWS_CALL = 2 * AWS_ATTEMPT;
/** Receive reads one parameter and sends to one queue, each with its retries; then it answers 503. */
const RECEIVE_BUDGET = 2 * AWS_CALL;
const SEGMENT_SLOW_ATTEMPT = 8_000;
/** Before the second try of an invocation; up to twice as long by chance. */
const SECOND_TRY_PAUSE = 200;
/** The longest that one call can take: key, table, call, key again, call again, second try, table. */
const DELIVER_CALL = 4 * AWS_CALL + 3 * SEGMENT_SLOW_ATTEMPT + 2 * SECOND_TRY_PAUSE;
/** What is done once all answers are in: dead-letter queue, table and visibility. */
const DELIVER_END = 3 * AWS_CALL + 1_000;
/** A call at its longest, and time to begin others: while Segment is slow but answers, each takes less than half of this. */
const DELIVER_FUNCTION = 60_000;

/** Every time-out of the pipeline, of infra and functions alike, in milliseconds, derived from the one that it must stay within. */
export const TIMING = {
  /** Flagsmith gives up on a webhook after this. */
  senderTimeout: 10_000,
  awsAttempt: AWS_ATTEMPT,
  awsCall: AWS_CALL,
  /** At most; they take up receive's budget while AWS throttles: Flagsmith tries twice more within 3 s only. */
  awsAttempts: 12,
  /** The longest pause before the second attempt, doubled each time up to `awsMaxPause`. Half of it is chance. */
  awsPause: 50,
  awsMaxPause: 1_000,
  /** After this an idle socket is not used again: many servers close it after 5 s, and a frozen container does not notice. */
  maxIdle: 4_000,
  receiveBudget: RECEIVE_BUDGET,
  /** With room for the start of a container and for the answer. */
  receiveFunction: RECEIVE_BUDGET + 2_000,
  /** One call to Segment, whole: it answers within 300 ms as a rule. */
  segmentAttempt: 4_000,
  /** The same after a time-out, until a call took less than `segmentFast`. */
  segmentSlowAttempt: SEGMENT_SLOW_ATTEMPT,
  segmentFast: 3_000,
  /** Connecting, and each address within it, one after the other: a lost SYN is sent again after 1 s, which both survive. */
  segmentConnect: 3_500,
  segmentAddress: 1_200,
  secondTryPause: SECOND_TRY_PAUSE,
  /** No call begins with less time left than it may take, and what is done after it. */
  deliverCall: DELIVER_CALL + DELIVER_END,
  deliverFunction: DELIVER_FUNCTION,
  /** AWS's own rule for a queue that feeds a function. */
  visibility: 6 * DELIVER_FUNCTION,
  /** How long a parameter read from SSM is used before it is read again. */
  parameterTtl: 5 * 60_000,
  /** A secret that does not match is read again once in this time at most, per container: forged webhooks must not use up SSM. */
  secretRefresh: 10_000,
  /** The same for the write key, which only Segment refuses, so rarely and never because of strangers. */
  writeKeyRefresh: 1_000,
  /** How long an old value is used after SSM failed to give a new one, before SSM is asked again. */
  parameterStale: 10_000,
  /** The same where there is no old value; 20 % either way. Strangers can make receive ask, and SSM's quota is small. */
  parameterFailure: 1_000,
} as const;

/** What the functions take from the machine. */
export interface Machine {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly timing: Readonly<Record<keyof typeof TIMING, number>>;
}
