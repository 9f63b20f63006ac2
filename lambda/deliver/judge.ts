import type { SegmentAnswer } from "../adapters/segment";
import type { Actor, UnreadableMessageError } from "../errors";

/** Seconds. */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NEVER = Number.POSITIVE_INFINITY;

/** What an answer says about the call, and after how many seconds of failing alone a call of that class is moved. */
export interface AnswerClass {
  /** Field `code` of the line. */
  readonly code: "content-rejected" | "slow-down" | "endpoint-refused" | "server-error" | "no-answer";
  /** Whose line it is; an operator's is an ERROR, and an alarm looks at it. */
  readonly actor: Actor | undefined;
  readonly moveAfter: number;
  readonly reason: Extract<Reason, "rejected-by-segment" | "fails-alone">;
}

/** Why a message is in the dead-letter queue: its attribute `reason`. */
export type Reason = "rejected-by-segment" | "fails-alone" | "expired" | "unknown-version" | "unreadable-message";

const CONTENT: AnswerClass = { code: "content-rejected", actor: undefined, moveAfter: MINUTE, reason: "rejected-by-segment" };
const SLOW_DOWN: AnswerClass = { code: "slow-down", actor: undefined, moveAfter: NEVER, reason: "fails-alone" };
const REFUSED: AnswerClass = { code: "endpoint-refused", actor: "operator", moveAfter: HOUR, reason: "fails-alone" };
const SERVER_ERROR: AnswerClass = { code: "server-error", actor: undefined, moveAfter: 3 * HOUR, reason: "fails-alone" };
const NO_ANSWER: AnswerClass = { ...SERVER_ERROR, code: "no-answer" };

/** Statuses by their class. The first row that matches counts. */
const CLASSES: readonly (readonly [statuses: RegExp, AnswerClass])[] = [
  [/^(400|413|422)$/, CONTENT],
  [/^(408|429)$/, SLOW_DOWN],
  [/^([34]..|501|505)$/, REFUSED],
  [/^5..$/, SERVER_ERROR],
];

/** @param status undefined = no answer came, or one that is not HTTP. */
export function classOf(status: number | undefined): AnswerClass {
  return CLASSES.find(([statuses]) => statuses.test(String(status)))?.[1] ?? NO_ANSWER;
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

export interface Verdict {
  /** Why the message is moved to the dead-letter queue; undefined = it stays. */
  readonly move: Reason | undefined;
  /** Seconds until it comes back, if it stays or can't be moved. */
  readonly wait: number;
}

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
/** Both functions are updated at the same time, in either order. */
const UNKNOWN_VERSION_AFTER = HOUR;
const REJECTED_ANYHOW_AFTER = DAY;
const REJECTED_RECEIVES = 3;

/**
 * The rules by which a message is moved or comes back. A failed call tells nothing by itself: how old it is and how others fare
 * at the same time do. `random`: from 0 to 1.
 */
export function judge(failure: Failure, waiting: Waiting, now: Circumstances, random: () => number): Verdict {
  return { move: reasonToMove(failure, waiting, now), wait: secondsUntilNext(failure, waiting, now.othersWell, random) };
}

function reasonToMove(failure: Failure, { age, receiveCount }: Waiting, now: Circumstances): Reason | undefined {
  if (failure.kind === "unreadable") return "unreadable-message";
  if (failure.kind === "unknown-version") return age >= UNKNOWN_VERSION_AFTER ? "unknown-version" : undefined;
  if (failure.kind === "not-tried") return undefined;
  if (age >= EXPIRED_AFTER) return "expired";
  if (failure.kind !== "not-taken") return undefined;
  const is = classOf(failure.answer.status);
  if (is === CONTENT && age >= REJECTED_ANYHOW_AFTER) return is.reason;
  const old = age >= is.moveAfter && (is !== CONTENT || receiveCount >= REJECTED_RECEIVES);
  const { othersWell, freshSuccess, failedBefore } = now;
  return old && failure.triedTwice && failedBefore && othersWell && freshSuccess ? is.reason : undefined;
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
  const slowDown = classOf(answer?.status) === SLOW_DOWN;
  const most = failure.kind === "unrecorded" ? MAX_WAIT_UNRECORDED : othersWell && !slowDown ? MAX_WAIT_ALONE : MAX_WAIT;
  const half = Math.min(Math.max(age / 2, MIN_WAIT), most);
  const wait = half + half * JITTER * (2 * random() - 1);
  const asked = Math.min(answer?.retryAfter ?? 0, MAX_ASKED);
  const least = Math.max(asked, receiveCount >= MANY_RECEIVES ? MANY_RECEIVES_WAIT : 0);
  return Math.ceil(wait < least ? least + least * JITTER * random() : wait);
}
