/**
 * Every time-out of the road, in milliseconds, each derived from the one it must stay within. Infra takes the functions' and
 * the queue's from here, the functions their clients'.
 */

/** Flagsmith gives up on a webhook after this. */
const SENDER_TIMEOUT = 10_000;

/** One request to SSM or SQS: both answer within tens of milliseconds, so silence for longer is a fault. */
const AWS_ATTEMPT = 1_500;
const AWS_ATTEMPTS = 2;
/** Between them: a container has little time, and SQS and SSM recover from a throttle within it. */
const AWS_PAUSE = 50;
const AWS_CALL = AWS_ATTEMPTS * AWS_ATTEMPT + (AWS_ATTEMPTS - 1) * AWS_PAUSE;

/** One call to Segment, whole: it answers within 300 ms as a rule. Connecting and the wait for headers lie within it. */
const SEGMENT_ATTEMPT = 8_000;
const SEGMENT_CONNECT = 2_000;
/** Many servers and proxies close a socket that idled for 5 s (Node.js, Apache); what crosses that close is lost. */
const SEGMENT_IDLE = 4_000;

/** Receive reads one parameter and sends to one queue, each with its retries; then it answers 503. */
const RECEIVE_BUDGET = 2 * AWS_ATTEMPTS * AWS_ATTEMPT;
/** Room for the start of a container and for the answer. */
const RECEIVE_FUNCTION = RECEIVE_BUDGET + 2_000;

/** The longest that one message can take: key, call, key read anew, call again; both queues silent, and the table twice. */
const DELIVER_ATTEMPT = 2 * (AWS_CALL + SEGMENT_ATTEMPT) + 4 * AWS_CALL;
/** Two of those one after the other, and room for the answer: the second of a slow identity is still begun. */
const DELIVER_FUNCTION = 75_000;
/** AWS's own rule for a queue that feeds a function. */
const VISIBILITY = 6 * DELIVER_FUNCTION;

export const TIMING = {
  senderTimeout: SENDER_TIMEOUT,
  awsAttempt: AWS_ATTEMPT,
  awsAttempts: AWS_ATTEMPTS,
  awsPause: AWS_PAUSE,
  receiveBudget: RECEIVE_BUDGET,
  receiveFunction: RECEIVE_FUNCTION,
  segmentAttempt: SEGMENT_ATTEMPT,
  segmentConnect: SEGMENT_CONNECT,
  segmentIdle: SEGMENT_IDLE,
  deliverAttempt: DELIVER_ATTEMPT,
  deliverFunction: DELIVER_FUNCTION,
  visibility: VISIBILITY,
  /** How long a parameter read from SSM is used before it is read again. */
  parameterTtl: 5 * 60_000,
  /**
   * A value that does not fit is read anew at most once in this time, per container: forged webhooks must not use up SSM's 40
   * reads a second for the whole account; a write key is refused by Segment only, so rarely and never by strangers.
   */
  secretRefresh: 10_000,
  writeKeyRefresh: 1_000,
  /** How long a value that SSM did not give anew is used before it is asked for again. */
  parameterStale: 10_000,
} as const;

export type Timing = { readonly [Name in keyof typeof TIMING]: number };
