import type { SQSRecord } from "aws-lambda";
import type { Queue } from "../adapters/queue";
import { MESSAGE_ATTRIBUTES } from "../contract";
import type { UnreadableMessageError } from "../domain/errors";

export interface DeadLetterDependencies {
  readonly deadLetters: Pick<Queue, "send">;
}

/** What a dead letter says of itself, in its attributes and in the log. */
export interface Letter {
  readonly messageId: string;
  readonly reason: "rejected-by-segment" | UnreadableMessageError["code"];
  /** Segment's, where it answered. */
  readonly status?: number | undefined;
}

/**
 * Puts a message that can never succeed among the dead letters. Returns what went wrong; only if nothing did may the queue
 * forget the message.
 */
export async function deadLetter(
  deps: DeadLetterDependencies,
  record: SQSRecord,
  letter: Letter,
): Promise<unknown> {
  const attributes = {
    [MESSAGE_ATTRIBUTES.environment]: environmentOf(record),
    [MESSAGE_ATTRIBUTES.reason]: letter.reason,
    [MESSAGE_ATTRIBUTES.status]: letter.status,
    [MESSAGE_ATTRIBUTES.messageId]: letter.messageId,
  };
  const groupId = record.attributes.MessageGroupId ?? letter.messageId;
  // SQS's own id: new after a redrive, so that a message that is refused again within 5 minutes is stored again.
  const message = { body: record.body, groupId, deduplicationId: record.messageId, attributes };
  try {
    await deps.deadLetters.send([message]);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Flagsmith's environment number, as receive noted it on the message. */
export function environmentOf(record: SQSRecord): number | undefined {
  const text = record.messageAttributes[MESSAGE_ATTRIBUTES.environment]?.stringValue;
  return text === undefined ? undefined : Number(text);
}
