import type { Machine, RetrySeconds } from "../timing";
import type { DeadLetterReason, Failure } from "./invocation";

/** The policy's input about a message that failed. */
export interface FailedMessage {
  readonly failure: Failure;
  /** Age since SQS received the message. A redrive resets it. */
  readonly ageSeconds: number;
  readonly receiveCount: number;
  /** Whether its call was merged with others. */
  readonly merged: boolean;
  /** See `Health`: depends on attempts for other users. */
  readonly healthy: boolean;
}

/** This many failures in a row dead-letter a message. The streak continues, so each further failure dead-letters one more. */
const STREAK_OF_ISOLATED_FAILURE = 4;
/** SQS itself moves a message at 1,000 receives, without a reason. 300 receives and one per half hour for 12 days are 876. */
const MANY_RECEIVES = 300;
/** A wait varies by ± this share, so that messages that failed together are not retried together. */
const JITTER = 0.2;

/** Whether the failure counts for the user's streak. Slow-downs do not count, and neither do failures without a request to Segment. */
export function countsForStreak({ failure, ageSeconds, healthy }: FailedMessage, retry: RetrySeconds): boolean {
  if (failure.kind !== "not-accepted" || failure.answer.code === "slow-down") return false;
  return healthy && ageSeconds >= retry.isolatedFailureAge;
}

/**
 * Returns why the message is dead-lettered. undefined = it is retried. `streak`: the user's failures in a row, with this one, or 0 if
 * this one does not count.
 */
export function deadLetterReason(message: FailedMessage, streak: number, retry: RetrySeconds): DeadLetterReason | undefined {
  const { failure, ageSeconds, merged } = message;
  switch (failure.kind) {
    case "unreadable":
      return "unreadable-message";
    case "unknown-version":
      return ageSeconds >= retry.unknownVersionAge ? "unknown-version" : undefined;
    case "not-attempted":
      return undefined;
    case "error":
    case "not-accepted":
      // At the next receive the messages are sent singly, which shows which one fails.
      if (merged) return undefined;
      if (ageSeconds >= retry.expiredAge) return "expired";
      return streak >= STREAK_OF_ISOLATED_FAILURE ? "isolated-failure" : undefined;
  }
}

/** Returns the whole seconds until the message is retried. SQS does not accept fractions. */
export function retryAfterSeconds(message: FailedMessage, random: Machine["random"], retry: RetrySeconds): number {
  const { failure, ageSeconds, receiveCount, healthy } = message;
  const manyReceives = receiveCount >= MANY_RECEIVES ? retry.manyReceivesWait : 0;
  if (failure.kind === "unknown-version") return Math.max(retry.unknownVersionWait, manyReceives);
  if (failure.kind === "not-attempted") {
    const asked = Math.min(Math.max(failure.askedSeconds, retry.minWait), retry.maxWaitNotAttempted);
    return Math.ceil(Math.max(asked, manyReceives));
  }
  const answer = failure.kind === "not-accepted" ? failure.answer : undefined;
  const most = healthy && answer?.code !== "slow-down" ? retry.maxWaitWhileHealthy : retry.maxWait;
  const wait = Math.min(Math.max(ageSeconds / 2, retry.minWait), most) * (1 + JITTER * (2 * random() - 1));
  const least = Math.max(Math.min(answer?.askedSeconds ?? 0, retry.maxAsked), manyReceives);
  return Math.ceil(wait < least ? least + least * JITTER * random() : wait);
}
