import { setTimeout as sleep } from "node:timers/promises";
import type { ReceivedMessage } from "../adapters/queue";
import type { SegmentAnswer } from "../adapters/segment";
import { UnreadableMessageError } from "../errors";
import { type IdentifyCall, MESSAGE_KIND, MESSAGE_VERSION, parseIdentifyCall, withSentAt } from "../identify-call";
import { tryParseJson } from "../json";
import type { LogFields, Outcome } from "../log";
import type { DeliverDependencies, Invocation } from "./dependencies";
import type { Failure } from "./judge";

/** What became of one call. */
export interface CallResult {
  /** Its outcome, if the queue may forget it; else why it may not. */
  readonly end: Outcome | Failure;
  /** Whether Segment took it, and when, in milliseconds since 1970; undefined = it was not sent. */
  readonly tried?: { readonly taken: boolean; readonly at: number };
  /** What its line says, however it ends. */
  readonly fields: LogFields;
}

type Step = (text: string) => void;

/** One message, once: read it, compare the call, send it, record it. Whatever goes wrong, the message stays in the queue. */
export async function deliverMessage(
  deps: DeliverDependencies,
  invocation: Invocation,
  message: ReceivedMessage,
): Promise<CallResult> {
  const { id, sequence, receiveCount: attempt, attributes } = message;
  const { environment } = attributes;
  const call = readCall(message);
  if ("kind" in call) return { end: call, fields: { messageId: id, attempt, environment } };
  const startedAt = deps.now();
  const steps: string[] = [];
  const result = await deliverCall(deps, invocation, call, sequence, (text) => void steps.push(text)).catch(
    (error: unknown): Omit<CallResult, "fields"> => ({ end: { kind: "error", error } }),
  );
  const { messageId, identity: userId, traitCount, receivedAt } = call;
  const now = deps.now();
  // Segment has what was only not recorded: nobody waits for it.
  const waits = "kind" in result.end && result.end.kind !== "unrecorded";
  const times = { durationMs: now - startedAt, ...(waits ? { ageMs: now - receivedAt } : {}) };
  const fields = { messageId, userId, environment, attempt, traitCount, bytes: Buffer.byteLength(call.body), ...times, steps };
  return { ...result, fields };
}

function readCall({ body, attributes }: ReceivedMessage): IdentifyCall | Failure {
  const { kind = MESSAGE_KIND, version = MESSAGE_VERSION } = attributes;
  if (kind !== MESSAGE_KIND || version !== MESSAGE_VERSION) return { kind: "unknown-version" };
  try {
    return parseIdentifyCall(body);
  } catch (error) {
    if (!(error instanceof UnreadableMessageError)) throw error;
    return { kind: "unreadable", error };
  }
}

async function deliverCall(
  deps: DeliverDependencies,
  invocation: Invocation,
  call: IdentifyCall,
  sequence: bigint,
  step: Step,
): Promise<Omit<CallResult, "fields">> {
  const { parameters, writeKeyParameter, comparer, now } = deps;
  const { slowDown, hasTime } = invocation;
  if (slowDown !== undefined) return notTried("Segment asked to slow down", slowDown);
  if (!hasTime()) return notTried("too little time left in this invocation", 0);
  const [writeKey = ""] = await parameters.get(writeKeyParameter);
  const comparison = await comparer.compare(call, sequence, writeKey);
  if (comparison.unchanged) {
    return { end: { event: "unchanged", message: "nothing new since the last call that Segment took" } };
  }
  if (deps.dryRun) {
    const fields = { call: tryParseJson(withSentAt(call, now())) };
    return { end: { event: "dry-run", message: "identify call not sent, option dryRun is on", fields } };
  }
  const { answer, usedKey, triedTwice } = await send(deps, invocation, call, writeKey, step);
  const tried = { taken: isTaken(answer), at: now() };
  if (answer.status === 429) invocation.slowDown = answer.retryAfter ?? 0;
  if (!tried.taken) return { end: { kind: "not-taken", answer, triedTwice }, tried };
  // Fingerprints belong to the key that they were made with.
  const sent = usedKey === writeKey ? comparison : await comparer.compare(call, sequence, usedKey);
  if (!(await sent.record())) return { end: { kind: "unrecorded", answer }, tried };
  const fields = { status: answer.status, segmentMs: answer.elapsed, latencyMs: tried.at - call.receivedAt };
  return { end: { event: "delivered", message: "identify call delivered", fields }, tried };
}

function notTried(why: string, after: number): Pick<CallResult, "end"> {
  return { end: { kind: "not-tried", why, after } };
}

/**
 * Sends the call with the newest key, and a second time if it is the first of the invocation that fails: that tells a blip or a
 * bad node of Segment's from the rest. After a 429 nothing is sent.
 */
async function send(
  { segment, parameters, writeKeyParameter, random, timing }: DeliverDependencies,
  invocation: Invocation,
  call: IdentifyCall,
  writeKey: string,
  step: Step,
): Promise<{ readonly answer: SegmentAnswer; readonly usedKey: string; readonly triedTwice: boolean }> {
  const identify = async (key: string, connection: "kept" | "fresh") => {
    const answer = await segment.identify(call, key, connection);
    step(`Segment: ${answer.reason} in ${answer.elapsed} ms`);
    return answer;
  };
  let usedKey = writeKey;
  let answer = await identify(usedKey, "kept");
  if (answer.status === 401 || answer.status === 403) {
    const [current = ""] = await parameters.refresh(writeKeyParameter);
    step(current === usedKey ? "key read again: the same" : "key read again: another");
    if (current !== usedKey) answer = await identify(current, "kept");
    usedKey = current;
  }
  if (isTaken(answer) || answer.status === 429 || invocation.secondTryMade) {
    return { answer, usedKey, triedTwice: false };
  }
  invocation.secondTryMade = true;
  await sleep(timing.secondTryPause * (1 + random()));
  return { answer: await identify(usedKey, "fresh"), usedKey, triedTwice: true };
}

function isTaken({ status }: SegmentAnswer): boolean {
  return status !== undefined && status >= 200 && status <= 299;
}
