import { type ReceivedMessage, toReceivedMessages } from "../adapters/queue";
import { UnreadableMessageError } from "../errors";
import { parseVariations } from "../experiments";
import { MESSAGE_KIND, MESSAGE_VERSION, parseIdentifyCall } from "../identify-call";
import type { Outcome } from "../log";
import type { Reading } from "./invocation";

/**
 * Groups the batch's messages by user, in order. `foreign`: ids of records of another queue, which must not be deleted. An event that
 * is not a batch, such as the console's test event, gets one log entry.
 */
export function readBatch(event: unknown, queueArn: string, write: (outcome: Outcome) => void) {
  const { messages, foreign } = toReceivedMessages(event, queueArn);
  if (messages.length === 0 || foreign.length > 0) {
    const records = `${foreign.length} records are not from ${queueArn}, so they are reported as failed`;
    const reason = foreign.length === 0 ? "the event is not a batch from SQS" : records;
    write({ event: "unknown-source", message: "event ignored", fields: { reason } });
  }
  const byUser = new Map<string, [Reading, ...Reading[]]>();
  for (const message of messages) {
    const earlier = byUser.get(message.groupId);
    if (earlier === undefined) byUser.set(message.groupId, [read(message)]);
    else earlier.push(read(message));
  }
  return { users: [...byUser.values()], foreign };
}

function read(message: ReceivedMessage): Reading {
  if (!message.isComplete) return unreadable(message, new UnreadableMessageError("every field of SQS's record"));
  const { kind = MESSAGE_KIND, version = MESSAGE_VERSION } = message.attributes;
  const isKnown = kind === MESSAGE_KIND && version === MESSAGE_VERSION;
  if (!isKnown) return { kind: "unread", message, failure: { kind: "unknown-version" } };
  try {
    const call = parseIdentifyCall(message.body);
    return { kind: "read", message, call, variations: parseVariations(message.attributes.experiments, call.messageId) };
  } catch (cause) {
    // Any other exception, such as one for deep nesting, must fail only this message and not the batch.
    return unreadable(
      message,
      cause instanceof UnreadableMessageError ? cause : new UnreadableMessageError("readable JSON", { cause }),
    );
  }
}

function unreadable(message: ReceivedMessage, error: UnreadableMessageError): Reading {
  return { kind: "unread", message, failure: { kind: "unreadable", error } };
}
