import type { ReceivedMessage } from "../adapters/queue";
import type { LogFields, Outcome } from "../log";
import type { DeliverDependencies, Invocation } from "./call";
import { type Failure, judge, type Reason } from "./judge";
import { deadLettered, retrying } from "./outcomes";

/** The first of a person's messages that was not settled, and those behind it. */
export interface Stop {
  readonly message: ReceivedMessage;
  readonly failure: Failure;
  readonly fields: LogFields;
  readonly behind: readonly ReceivedMessage[];
  /** Its call was merged with those behind it. */
  readonly merged: boolean;
}

/**
 * Judges a failure and acts on it: the message is moved to the dead-letter queue, or it comes back with those behind it. `kept`:
 * what the queue must not forget.
 */
export async function conclude(invocation: Invocation, stop: Stop) {
  const { people, deadLetterQueue, comparer, random } = invocation;
  const { message, failure, behind } = stop;
  const now = invocation.now();
  const person = message.groupId;
  const circumstances = people.circumstancesOf(person, now);
  const waiting = { age: (now - message.sentAt) / 1_000, receiveCount: message.receiveCount };
  const { move, wait } = judge(failure, waiting, circumstances, random);
  if (failure.kind === "not-taken" && circumstances.othersWell) people.failedAlone(person, now);
  let outcome: Outcome = retrying(failure, circumstances.othersWell, invocation);
  let kept: readonly ReceivedMessage[] = [message, ...behind];
  // Which of the merged calls is to blame shows once they are sent singly, at the next try.
  const isOneOfMany = stop.merged && failure.kind === "not-taken";
  if (move !== undefined && !isOneOfMany) {
    try {
      await deadLetterQueue.send([toDeadLetter(stop, move)]);
      if (failure.kind === "not-taken") people.moved(now);
      await comparer.forget(person, message.sequence, String(stop.fields.messageId));
      outcome = deadLettered(failure, move);
      kept = behind;
    } catch (error) {
      outcome = { ...outcome, message: "can't be moved to the dead-letter queue, comes again", error };
    }
  }
  const moved = kept === behind;
  const { retryInSeconds, visibility } = await schedule(invocation, kept, moved ? 0 : wait);
  const held = behind.length === 0 ? undefined : behind.length;
  const about = { held, visibility, retryInSeconds: moved ? undefined : retryInSeconds };
  return { kept, outcome: { ...outcome, fields: { ...stop.fields, ...outcome.fields, ...about } } };
}

function toDeadLetter({ message, failure, fields }: Stop, reason: Reason) {
  const status = failure.kind === "not-taken" ? failure.answer.status : undefined;
  const { body, groupId, id } = message;
  const attributes = { ...message.attributes, reason, status, messageId: String(fields.messageId) };
  // SQS's own id is new after a redrive, so a message that is moved again within 5 minutes is stored again.
  return { body, groupId, deduplicationId: id, attributes };
}

/**
 * Sets when the messages that stay come back, all at once: SQS hands out none of a group while any of it is invisible, and the one
 * that failed must not wait for those behind it. If that fails, they come back with the queue's own time-out.
 */
async function schedule(deps: DeliverDependencies, kept: readonly ReceivedMessage[], seconds: number): Promise<LogFields> {
  try {
    if (kept.length > 0) await deps.queue.setVisibility(kept, seconds);
    return { retryInSeconds: seconds };
  } catch (error) {
    const reason = error instanceof Error ? error.message : typeof error;
    return { retryInSeconds: deps.timing.visibility / 1_000, visibility: `schedule not set: ${reason}` };
  }
}
