import { type ReceivedMessage, toReceivedMessages } from "../adapters/queue";
import { UnreadableMessageError } from "../errors";
import { MESSAGE_KIND, MESSAGE_VERSION, parseIdentifyCall } from "../identify-call";
import type { Outcome } from "../log";
import type { Reading } from "./invocation";

/** The batch's messages by user, in order. An event of anything but our queue, such as the console's test event, gets one entry. */
export function readBatch(event: unknown, queueArn: string, write: (outcome: Outcome) => void) {
  const { messages, foreign } = toReceivedMessages(event, queueArn);
  if (messages.length === 0 || foreign > 0) {
    const reason = foreign === 0 ? "the event is not a batch from SQS" : `${foreign} records are not from ${queueArn}`;
    write({ event: "unknown-source", message: "event ignored", fields: { reason } });
  }
  const byUser = new Map<string, [Reading, ...Reading[]]>();
  for (const message of messages) {
    const earlier = byUser.get(message.groupId);
    if (earlier === undefined) byUser.set(message.groupId, [read(message)]);
    else earlier.push(read(message));
  }
  return [...byUser.values()];
}

function read(message: ReceivedMessage): Reading {
  const { kind = MESSAGE_KIND, version = MESSAGE_VERSION } = message.attributes;
  const isKnown = kind === MESSAGE_KIND && version === MESSAGE_VERSION;
  if (!isKnown) return { kind: "unread", message, failure: { kind: "unknown-version" } };
  try {
    return { kind: "read", message, call: parseIdentifyCall(message.body) };
  } catch (cause) {
    // Any other exception, such as too deep a nesting, is this message's as well, and must not fail the batch.
    const error = cause instanceof UnreadableMessageError ? cause : new UnreadableMessageError("readable JSON", { cause });
    return { kind: "unread", message, failure: { kind: "unreadable", error } };
  }
}
