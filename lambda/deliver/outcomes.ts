import type { ReceivedMessage } from "../adapters/queue";
import type { LogFields, Outcome } from "../log";
import type { DeliverDependencies } from "./call";
import { classOf, type Failure, type Reason } from "./judge";
import type { ReadMessage, Unit } from "./merge";

/** What the line about a message says, whatever can be read of it. */
export function knownOf({ receiveCount: attempt, attributes }: ReceivedMessage): LogFields {
  return { attempt, environment: attributes.environment };
}

function fieldsOf({ message, call }: ReadMessage): LogFields {
  const { messageId, identity: userId, traitCount, body } = call;
  return { ...knownOf(message), messageId, userId, traitCount, bytes: Buffer.byteLength(body) };
}

/** What the line says of a message that was not settled: since when it waits. What was only not recorded is at Segment. */
export function waitingFields(read: ReadMessage, { kind }: Failure, now: number): LogFields {
  return { ...fieldsOf(read), ...(kind === "unrecorded" ? {} : { ageMs: now - read.call.receivedAt }) };
}

/** The lines of a unit's messages, which the queue may forget. */
export function settled({ messages, calls }: Unit, end: Outcome, about: LogFields, now: number): readonly Outcome[] {
  return messages.map((read) => {
    const fields = { ...fieldsOf(read), ...about, ...end.fields };
    if (end.event !== "delivered") return { ...end, fields };
    const latencyMs = now - read.call.receivedAt;
    if (messages.length === 1) return { ...end, fields: { ...fields, latencyMs } };
    const carried = { latencyMs, mergedInto: calls[0].messageId, calls: calls.length };
    return { event: "merged", message: "delivered in a merged call", fields: { ...fields, ...carried } };
  });
}

/** The line of a message that stays in the queue. `othersWell`: other people's calls were taken at the same time. */
export function retrying(failure: Failure, othersWell: boolean, { writeKey }: Pick<DeliverDependencies, "writeKey">): Outcome {
  const event = "retrying";
  switch (failure.kind) {
    case "not-taken": {
      const fields = answerFields(failure);
      // While others are well, the key is good: a firewall refuses this call.
      if ((fields.status === 401 || fields.status === 403) && !othersWell) {
        const key = { code: "write-key-refused", parameter: writeKey.name, remedy: writeKey.remedy };
        return { event, message: "Segment, or a firewall before it, refuses the write key", fields: { ...fields, ...key } };
      }
      return { event, message: "Segment did not take the call", fields };
    }
    case "unrecorded": {
      const { status, elapsed: segmentMs } = failure.answer;
      return { event, message: "delivered but not recorded, comes again", fields: { status, segmentMs } };
    }
    case "not-tried":
      return { event, message: "not tried", fields: { reason: failure.why } };
    case "unknown-version":
      return { event, message: "a kind or version of message that this release does not know", fields: { code: failure.kind } };
    case "unreadable":
      return { event, message: "message can't be read", error: failure.error };
    case "error":
      return { event, message: "not delivered", error: failure.error };
  }
}

/** The line of a message that was moved to the dead-letter queue. `reason` is the message's attribute of that name. */
export function deadLettered(failure: Failure, reason: Reason): Outcome {
  const fields = failure.kind === "not-taken" ? { ...answerFields(failure), reason } : { reason };
  const why = failure.kind === "unreadable" ? `: ${failure.error.message}` : "";
  return { event: "dead-lettered", message: `moved to the dead-letter queue${why}`, fields };
}

function answerFields({ answer }: Extract<Failure, { kind: "not-taken" }>): LogFields {
  const { status, reason, elapsed: segmentMs } = answer;
  const { code } = classOf(status);
  // An operator's line is an ERROR, and an alarm looks at it.
  return { status, reason, segmentMs, code, actor: code === "endpoint-refused" ? "operator" : undefined };
}
