import { TableError } from "../errors";
import { experimentEvents, requestOf } from "../experiments";
import { tryParseJson } from "../json";
import { MINUTE_MS } from "../timing";
import type { AcceptedParts, UserRecord } from "./changes";
import type { Invocation, Unit, UnitResult } from "./invocation";

/**
 * Makes one attempt at one unit: compare, remove, send, add. Without a record (`forward: "every"`) it only sends the call, without
 * events. @throws ParameterError if there is no write key, or TableError. Then nothing was sent, and the unit is retried.
 */
export async function attempt(invocation: Invocation, unit: Unit, record: UserRecord | undefined): Promise<UnitResult> {
  const { writeKey, dryRun, now, hasTime } = invocation;
  const { messages, call } = unit;
  if (!hasTime()) return notAttempted("too little time left in this invocation", 0);
  const [key = ""] = await writeKey.get();
  await record?.read();
  const variations = record?.newVariations(unit, key) ?? [];
  const events = experimentEvents(call, variations);
  if (record?.hasTraits(unit, key) && events.length === 0) return { kind: "unchanged" };
  if (dryRun) return { kind: "dry-run", call: tryParseJson(requestOf(call, events, now()).body) };
  await record?.remove(unit, key, messages[0].message.sequence);
  const { slowDownSeconds } = invocation;
  if (slowDownSeconds !== undefined) return notAttempted("Segment asked to slow down", slowDownSeconds);
  const { answer, usedKey } = await send(invocation, unit, events, key);
  if (answer.code !== "accepted") return { kind: "failed", failure: { kind: "not-accepted", answer } };
  const notRecorded = record && (await add(record, unit, { traits: !mayBeKnown(unit), variations }, usedKey));
  return { kind: "delivered", answer, experiments: events.length, notRecorded };
}

function notAttempted(why: string, askedSeconds: number): UnitResult {
  return { kind: "failed", failure: { kind: "not-attempted", why, askedSeconds } };
}

/** Sends the call. If Segment refuses the key and the parameter has a new one, it sends the call once more. */
async function send(invocation: Invocation, { call }: Unit, events: readonly string[], knownKey: string) {
  const sendWith = async (usedKey: string) => {
    const answer = await invocation.segment.send(call, events, usedKey);
    // After a 429 nothing more is sent in this invocation.
    if (answer.status === 429) invocation.slowDownSeconds = Math.max(invocation.slowDownSeconds ?? 0, answer.askedSeconds ?? 0);
    return { answer, usedKey };
  };
  const sent = await sendWith(knownKey);
  if (sent.answer.status !== 401 && sent.answer.status !== 403) return sent;
  const [current = ""] = await invocation.writeKey.refresh();
  return current === knownKey || invocation.slowDownSeconds !== undefined ? sent : sendWith(current);
}

/**
 * Whether Segment may have dropped the call as a duplicate id, and so may have a newer value. That is possible if the message was
 * received before or was redriven. After a redrive, SQS received it more than a minute after the evaluation. A merged call's id is always new.
 */
function mayBeKnown({ messages: [{ message, call }, ...others] }: Unit): boolean {
  return others.length === 0 && (message.receiveCount > 1 || message.sentAtMs - call.receivedAtMs > MINUTE_MS);
}

/** Segment has accepted the call, so the message does not fail if the table does. */
async function add(record: UserRecord, unit: Unit, sent: AcceptedParts, usedKey: string): Promise<TableError | undefined> {
  try {
    await record.add(unit, sent, usedKey, (unit.messages.at(-1) ?? unit.messages[0]).message.sequence);
    return undefined;
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    return error;
  }
}
