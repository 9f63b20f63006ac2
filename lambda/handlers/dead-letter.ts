import type { SQSRecord } from "aws-lambda";
import type { Queue } from "../adapters/queue";
import { MESSAGE_ATTRIBUTES } from "../contract";
import type { UnreadableMessageError } from "../domain/errors";
import type { Recorder } from "../telemetry";

export interface DeadLetterDependencies {
  readonly deadLetters: Pick<Queue, "send">;
}

/** Whether SQS may forget the message: it is at Segment or among the dead letters. */
export type Settled = boolean;

/** What a dead letter says of itself, in its attributes and in the log. */
export interface Letter {
  readonly messageId: string;
  readonly reason: "rejected-by-segment" | UnreadableMessageError["code"];
  /** Segment's, where it answered. */
  readonly status?: number | undefined;
}

/** Puts a message that can never succeed among the dead letters; only then may the queue forget it. */
export async function deadLetter(
  deps: DeadLetterDependencies,
  record: SQSRecord,
  recorder: Recorder,
  letter: Letter,
  cause?: unknown,
): Promise<Settled> {
  const attributes = {
    [MESSAGE_ATTRIBUTES.environment]: environmentOf(record),
    [MESSAGE_ATTRIBUTES.reason]: letter.reason,
    [MESSAGE_ATTRIBUTES.status]: letter.status,
    [MESSAGE_ATTRIBUTES.messageId]: letter.messageId,
  };
  const groupId = record.attributes.MessageGroupId ?? letter.messageId;
  try {
    await deps.deadLetters.send([
      { body: record.body, groupId, deduplicationId: letter.messageId, attributes },
    ]);
  } catch (error) {
    recorder.outcome("retrying", "dead-letter queue unreachable, message stays in the queue", letter, error);
    return false;
  }
  recorder.outcome("dead-lettered", "can never succeed, moved to the dead-letter queue", letter, cause);
  return true;
}

/** Flagsmith's environment number, as receive noted it on the message. */
export function environmentOf(record: SQSRecord): number | undefined {
  const text = record.messageAttributes[MESSAGE_ATTRIBUTES.environment]?.stringValue;
  return text === undefined ? undefined : Number(text);
}
