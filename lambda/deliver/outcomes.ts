import type { SegmentAnswer } from "../adapters/segment";
import type { LogFields, Outcome } from "../log";
import type { DeadLetterReason, Failure, Invocation, Reading, ReadMessage, Unit, UnitResult } from "./invocation";

/** Fields of every entry about a message. If the message can't be read, `messageId` is SQS's id. */
export function fieldsOf(reading: Reading): LogFields {
  const { id, receiveCount: attempt, attributes } = reading.message;
  const known = { attempt, environment: attributes.environment };
  if (reading.kind === "unread") return { ...known, messageId: id };
  const { messageId, identity: userId, traitCount, body } = reading.call;
  return { ...known, messageId, userId, traitCount, bytes: Buffer.byteLength(body) };
}

export function unchanged(reading: Reading): Outcome {
  return { event: "unchanged", message: "Segment has these traits, nothing was sent", fields: fieldsOf(reading) };
}

/** Returns the entries about a settled unit: one for each message, and one more if the call could not be recorded. */
export function settled(unit: Unit, result: Settled, durationMs: number, nowMs: number): readonly Outcome[] {
  const outcomes = unit.messages.map((read) => {
    const outcome = outcomeOf(read, unit, result, nowMs);
    // Only one entry per request has the number, so that the sum over all entries is correct.
    const sent = result.kind === "delivered" && read === unit.messages.at(-1) ? result.experiments : 0;
    return { ...outcome, fields: { ...fieldsOf(read), durationMs, experiments: sent || undefined, ...outcome.fields } };
  });
  if (result.kind !== "delivered" || result.notRecorded === undefined) return outcomes;
  const message = "Segment accepted the call, but the record does not say so: these traits are sent once more";
  const { messageId } = unit.call;
  return [...outcomes, { event: "not-recorded", message, fields: { messageId }, error: result.notRecorded }];
}

type Settled = Exclude<UnitResult, { kind: "failed" }>;

function outcomeOf(read: ReadMessage, { messages, call }: Unit, result: Settled, nowMs: number): Outcome {
  switch (result.kind) {
    case "unchanged":
      return unchanged(read);
    case "dry-run":
      return { event: "dry-run", message: "not sent, because option dryRun is on", fields: { call: result.call } };
    case "delivered": {
      const { status, elapsedMs: segmentMs } = result.answer;
      const fields = { status, segmentMs, latencyMs: nowMs - read.call.receivedAtMs };
      if (messages.length === 1) return { event: "delivered", message: "delivered", fields };
      return { event: "merged", message: "delivered in a merged call", fields: { ...fields, mergedInto: call.messageId } };
    }
  }
}

const NO_OAUTH = "(Segment sources that enforce OAuth are not supported)";

/** Returns the entry about a message that is retried. */
export function retrying(failure: Failure, healthy: boolean, { writeKey }: Pick<Invocation, "writeKey">): Outcome {
  const event = "retrying";
  switch (failure.kind) {
    case "not-accepted": {
      const { name: parameter, remedy } = writeKey;
      const fields = answerFields(failure.answer);
      const { status } = failure.answer;
      // While the endpoint is healthy the key is valid, so a firewall sent the 403.
      if (status === 401 || (status === 403 && !healthy)) {
        const message = "Segment, or a firewall before it, refuses the write key";
        return { event, message, fields: { ...fields, code: "write-key-refused", parameter, remedy: `${remedy} ${NO_OAUTH}` } };
      }
      const message = "Segment refuses the call; an empty or very short write key is a possible cause";
      if (status === 400 && !healthy) return { event, message, fields: { ...fields, parameter, remedy } };
      return { event, message: "Segment did not accept the call", fields };
    }
    case "not-attempted":
      return { event, message: "not attempted", fields: { code: failure.kind, reason: failure.why } };
    case "unknown-version":
      return { event, message: "this release does not know the message's kind or version", fields: { code: failure.kind } };
    case "unreadable":
      return { event, message: "the message can't be read", error: failure.error };
    case "error":
      return { event, message: "not sent", error: failure.error };
  }
}

/** Returns the entry about a message in the dead-letter queue. `reason` is the message's attribute of that name. */
export function deadLettered(failure: Failure, reason: DeadLetterReason): Outcome {
  const fields = failure.kind === "not-accepted" ? { ...answerFields(failure.answer), reason } : { reason };
  const why = failure.kind === "unreadable" ? `: ${failure.error.message}` : "";
  return { event: "dead-lettered", message: `moved to the dead-letter queue${why}`, fields };
}

function answerFields({ status, reason, elapsedMs: segmentMs, code: answerCode }: SegmentAnswer): LogFields {
  const code = answerCode === "accepted" ? undefined : answerCode;
  // The operator must act on this code. The field `actor` raises the entry's level to ERROR.
  return { status, reason, segmentMs, code, actor: code === "endpoint-refused" ? "operator" : undefined };
}
