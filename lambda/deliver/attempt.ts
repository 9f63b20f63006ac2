import { TableError } from "../errors";
import { withSentAt } from "../identify-call";
import { tryParseJson } from "../json";
import { MINUTE_MS } from "../timing";
import type { UserRecord } from "./changes";
import type { Invocation, Unit, UnitResult } from "./invocation";

/**
 * One attempt at one unit: compare, remove, send, add. Without a record (`forward: "every"`) it only sends.
 * @throws ParameterError without a write key, and TableError; then nothing was sent, and the unit is retried.
 */
export async function attempt(invocation: Invocation, unit: Unit, record: UserRecord | undefined): Promise<UnitResult> {
  const { writeKey, dryRun, now, hasTime } = invocation;
  const { messages, call } = unit;
  if (!hasTime()) return notAttempted("too little time left in this invocation", 0);
  const [key = ""] = await writeKey.get();
  await record?.read();
  if (record?.isUnchanged(call, key)) return { kind: "unchanged" };
  if (dryRun) return { kind: "dry-run", call: tryParseJson(withSentAt(call, now())) };
  await record?.remove(call, key, messages[0].message.sequence);
  const { slowDownSeconds } = invocation;
  if (slowDownSeconds !== undefined) return notAttempted("Segment asked to slow down", slowDownSeconds);
  const { answer, usedKey } = await send(invocation, unit, key);
  if (answer.code !== "accepted") return { kind: "failed", failure: { kind: "not-accepted", answer } };
  const notRecorded = mayBeKnown(unit) ? undefined : await add(unit, usedKey, record);
  return { kind: "delivered", answer, notRecorded };
}

function notAttempted(why: string, askedSeconds: number): UnitResult {
  return { kind: "failed", failure: { kind: "not-attempted", why, askedSeconds } };
}

/** Sends the call, and once more if the key was refused and the parameter has another one by now. */
async function send(invocation: Invocation, { call }: Unit, knownKey: string) {
  const identify = async (usedKey: string) => {
    const answer = await invocation.segment.identify(call, usedKey);
    // After a 429 nothing more is sent in this invocation.
    if (answer.status === 429) invocation.slowDownSeconds = Math.max(invocation.slowDownSeconds ?? 0, answer.askedSeconds ?? 0);
    return { answer, usedKey };
  };
  const sent = await identify(knownKey);
  if (sent.answer.status !== 401 && sent.answer.status !== 403) return sent;
  const [current = ""] = await invocation.writeKey.refresh();
  return current === knownKey || invocation.slowDownSeconds !== undefined ? sent : identify(current);
}

/**
 * Whether Segment may have dropped the call because it knows its id, and so have a newer value: it was received before, or it was
 * redriven, which shows as a minute between the evaluation and its reception by SQS. A merged call's id is new each time.
 */
function mayBeKnown({ messages: [{ message, call }, ...others] }: Unit): boolean {
  return others.length === 0 && (message.receiveCount > 1 || message.sentAtMs - call.receivedAtMs > MINUTE_MS);
}

/** Segment has the call, so a failure of the table does not make the message fail. */
async function add({ messages, call }: Unit, usedKey: string, record: UserRecord | undefined): Promise<TableError | undefined> {
  try {
    await record?.add(call, usedKey, (messages.at(-1) ?? messages[0]).message.sequence);
    return undefined;
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    return error;
  }
}
