import type { Machine, RetrySeconds } from "../timing";
import type { DeadLetterReason, Failure } from "./invocation";

/** What the policy needs to know of a message that failed. */
export interface FailedMessage {
  readonly failure: Failure;
  /** Since SQS received it. A redrive begins it anew. */
  readonly ageSeconds: number;
  readonly receiveCount: number;
  /** Its call was merged with others. */
  readonly merged: boolean;
  /** See `Health`: by other users' attempts. */
  readonly healthy: boolean;
}

/** Failures in a row that dead-letter a message. After it each further one does so: the streak goes on. */
const STREAK_OF_ISOLATED_FAILURE = 4;
/** SQS moves a message without a reason at 1,000 receives: 300, and one per half hour for 12 days, are 876. */
const MANY_RECEIVES = 300;
/** Share by which a wait varies either way, so that what failed together is not retried together. */
const JITTER = 0.2;

/** Whether the failure counts for the user's streak. Slow-downs and failures that are not the endpoint's do not. */
export function countsForStreak({ failure, ageSeconds, healthy }: FailedMessage, retry: RetrySeconds): boolean {
  if (failure.kind !== "not-accepted" || failure.answer.code === "slow-down") return false;
  return healthy && ageSeconds >= retry.isolatedFailureAge;
}

/**
 * Why the message is dead-lettered; undefined = it is retried. `streak`: how often in a row the user failed, this failure included;
 * 0 if this one does not count.
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
      // Which of the merged messages fails is known once they are sent singly, at the next receive.
      if (merged) return undefined;
      if (ageSeconds >= retry.expiredAge) return "expired";
      return streak >= STREAK_OF_ISOLATED_FAILURE ? "isolated-failure" : undefined;
  }
}

/** Seconds until the message is retried. SQS takes no fractions. */
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
