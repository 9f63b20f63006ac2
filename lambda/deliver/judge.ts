import type { SegmentAnswer } from "../adapters/segment";
import type { UnreadableMessageError } from "../errors";

/** Seconds. */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NEVER = Number.POSITIVE_INFINITY;

/** Why a message is in the dead-letter queue: its attribute `reason`. */
export type Reason = "rejected-by-segment" | "fails-alone" | "expired" | "unknown-version" | "unreadable-message";

/** What a status says of the call, and the seconds of failing alone after which it is moved. The first match counts. */
const CLASSES = [
  { statuses: /^(400|413|422)$/, code: "content-rejected", moveAfter: MINUTE },
  { statuses: /^(408|429)$/, code: "slow-down", moveAfter: NEVER },
  { statuses: /^([34]..|501|505)$/, code: "endpoint-refused", moveAfter: HOUR },
  { statuses: /^5..$/, code: "server-error", moveAfter: 3 * HOUR },
] as const;
/** Not even an HTTP answer. */
const NO_ANSWER = { code: "no-answer", moveAfter: 3 * HOUR } as const;

/** @param status undefined = no answer came, or one that is not HTTP. */
export function classOf(status: number | undefined): (typeof CLASSES)[number] | typeof NO_ANSWER {
  return CLASSES.find(({ statuses }) => statuses.test(String(status))) ?? NO_ANSWER;
}

/** Why a message was not settled in this invocation. */
export type Failure =
  /** Segment did not take the call. `triedTwice`: the second try of the invocation was this call's, and failed as well. */
  | { readonly kind: "not-taken"; readonly answer: SegmentAnswer; readonly triedTwice: boolean }
  /** Segment took the call, but DynamoDB did not record it. */
  | { readonly kind: "unrecorded"; readonly answer: SegmentAnswer }
  /** The call was not sent, which is no failure of its own. `after`: seconds. */
  | { readonly kind: "not-tried"; readonly why: string; readonly after: number }
  /** The write key could not be read, or something failed that nobody foresaw. */
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "unknown-version" }
  | { readonly kind: "unreadable"; readonly error: UnreadableMessageError };

/** What SQS says of the message. */
export interface Waiting {
  /** Seconds since SQS took it. A redrive begins them again. */
  readonly age: number;
  readonly receiveCount: number;
}

/** How others fare, and this person before. See `People`. */
export interface Circumstances {
  readonly othersWell: boolean;
  /** Somebody else's call was taken within the last 10 seconds, or since this container last moved one. */
  readonly freshSuccess: boolean;
  /** In an earlier invocation within the hour, while others were well, and without a success since. */
  readonly failedBefore: boolean;
}

/** SQS deletes a message after 14 days without a word. */
const EXPIRED_AFTER = 12 * DAY;
/** A deploy updates the functions in either order: deliver may meet messages of the next release before its own update. */
const UNKNOWN_VERSION_AFTER = HOUR;
const REJECTED_ANYHOW_AFTER = DAY;
const REJECTED_RECEIVES = 3;

/**
 * The rules by which a message is moved or comes back. A failed call tells nothing by itself: how old it is and how others fare
 * at the same time do. `move`: why it is moved, undefined = it stays; `wait`: seconds until it comes back, if it stays or
 * can't be moved. `random`: from 0 to 1.
 */
export function judge(failure: Failure, waiting: Waiting, now: Circumstances, random: () => number) {
  return { move: reasonToMove(failure, waiting, now), wait: secondsUntilNext(failure, waiting, now.othersWell, random) };
}

function reasonToMove(failure: Failure, { age, receiveCount }: Waiting, now: Circumstances): Reason | undefined {
  if (failure.kind === "unreadable") return "unreadable-message";
  if (failure.kind === "unknown-version") return age >= UNKNOWN_VERSION_AFTER ? "unknown-version" : undefined;
  if (failure.kind === "not-tried") return undefined;
  if (age >= EXPIRED_AFTER) return "expired";
  if (failure.kind !== "not-taken") return undefined;
  const { code, moveAfter } = classOf(failure.answer.status);
  const rejected = code === "content-rejected";
  if (rejected && age >= REJECTED_ANYHOW_AFTER) return "rejected-by-segment";
  const old = age >= moveAfter && (!rejected || receiveCount >= REJECTED_RECEIVES);
  const { othersWell, freshSuccess, failedBefore } = now;
  if (!(old && failure.triedTwice && failedBefore && othersWell && freshSuccess)) return undefined;
  return rejected ? "rejected-by-segment" : "fails-alone";
}

const MIN_WAIT = 2;
const MAX_WAIT = 10 * MINUTE;
/** While others are well, so that a person whose trouble ends does not wait for long. */
const MAX_WAIT_ALONE = MINUTE;
/** Segment has the call: what waits behind it must not wait for the table. */
const MAX_WAIT_UNRECORDED = 15;
/** Of what an answer asks for: a mistake in a header must not hold a person's traits for a day. */
const MAX_ASKED = 30 * MINUTE;
/** SQS moves a message without a reason at 1,000 receives: 300, and one per half hour for 12 days, are fewer. */
const MANY_RECEIVES = 300;
const MANY_RECEIVES_WAIT = 30 * MINUTE;
/** Share by which a wait varies, so that what failed together does not come back together. */
const JITTER = 0.2;

/** Half of the time that the call has waited, within bounds; never sooner than the answer asked for. SQS takes no fractions. */
function secondsUntilNext(failure: Failure, { age, receiveCount }: Waiting, othersWell: boolean, random: () => number): number {
  if (failure.kind === "unknown-version") return MINUTE;
  if (failure.kind === "not-tried") return Math.ceil(Math.min(failure.after, MAX_ASKED));
  const answer = failure.kind === "not-taken" ? failure.answer : undefined;
  const slowDown = classOf(answer?.status).code === "slow-down";
  const most = failure.kind === "unrecorded" ? MAX_WAIT_UNRECORDED : othersWell && !slowDown ? MAX_WAIT_ALONE : MAX_WAIT;
  const half = Math.min(Math.max(age / 2, MIN_WAIT), most);
  const wait = half + half * JITTER * (2 * random() - 1);
  const asked = Math.min(answer?.retryAfter ?? 0, MAX_ASKED);
  const least = Math.max(asked, receiveCount >= MANY_RECEIVES ? MANY_RECEIVES_WAIT : 0);
  return Math.ceil(wait < least ? least + least * JITTER * random() : wait);
}
