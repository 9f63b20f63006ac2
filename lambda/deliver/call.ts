import { setTimeout as sleep } from "node:timers/promises";
import type { Parameter } from "../adapters/parameter";
import type { Queue } from "../adapters/queue";
import type { Segment, SegmentAnswer } from "../adapters/segment";
import { type IdentifyCall, withSentAt } from "../identify-call";
import { tryParseJson } from "../json";
import type { Log, Outcome } from "../log";
import type { Machine } from "../timing";
import type { Comparer } from "./changes";
import type { Failure } from "./judge";
import type { Unit } from "./merge";
import type { People } from "./people";

export interface DeliverDependencies extends Machine {
  /** Of the queue that deliver is for. */
  readonly queueArn: string;
  readonly writeKey: Pick<Parameter, "name" | "get" | "refresh" | "remedy">;
  readonly dryRun: boolean;
  /** Whether many messages of one person in a batch become one call. */
  readonly mergeBacklog: boolean;
  readonly segment: Pick<Segment, "identify">;
  readonly comparer: Comparer;
  readonly queue: Pick<Queue, "setVisibility">;
  readonly deadLetterQueue: Pick<Queue, "send">;
  readonly log: Log;
}

/** What the calls of one invocation share. */
export interface Invocation extends DeliverDependencies {
  readonly people: People;
  readonly requestId: string;
  /** Whether there is time for a call at its longest. */
  readonly hasTime: () => boolean;
  /** Set once Segment answered 429: nothing more is sent. The most seconds that it asked for, 0 if it did not say. */
  slowDown: number | undefined;
  /** Set once the invocation's one second try was made. */
  secondTryMade: boolean;
}

type Step = (text: string) => void;

/**
 * One unit, once: key, compare, send, record. Gives its outcome if the queue may forget its messages, else why it may not.
 * `step` notes what was done. @throws ParameterError without a write key.
 */
export async function deliverUnit(invocation: Invocation, unit: Unit, step: Step): Promise<Outcome | Failure> {
  const { writeKey, comparer, dryRun, now, people } = invocation;
  const { messages, whole, calls } = unit;
  const reason = reasonNotToTry(invocation);
  if (reason !== undefined) return reason;
  const [key = ""] = await writeKey.get();
  const place = {
    first: messages[0].message.sequence,
    last: (messages.at(-1) ?? messages[0]).message.sequence,
    mayBeAtSegment: messages.length > 1 && messages.some(({ message }) => message.receiveCount > 1),
    mayBeKnown: messages.length === 1 && messages[0].message.attributes.reason !== undefined,
  };
  const comparison = await comparer.compare(whole, place, key);
  if (comparison.unchanged) return { event: "unchanged", message: "nothing new since the last call that Segment took" };
  if (dryRun) {
    const fields = { call: tryParseJson(withSentAt(whole, now())) };
    return { event: "dry-run", message: "identify call not sent, option dryRun is on", fields };
  }
  const { answer, usedKey, triedTwice, stopped } = await sendAll(invocation, calls, key, step);
  people.tried(messages[0].message.groupId, isTaken(answer), now());
  if (!isTaken(answer)) return { kind: "not-taken", answer, triedTwice };
  if (stopped !== undefined) return stopped;
  if (!(await comparison.record(usedKey))) return { kind: "unrecorded", answer };
  return { event: "delivered", message: "delivered", fields: { status: answer.status, segmentMs: answer.elapsed } };
}

interface Sent {
  readonly answer: SegmentAnswer;
  readonly usedKey: string;
  /** The second try of the invocation was this call's, and failed as well. */
  readonly triedTwice: boolean;
  /** Why further calls of the unit were not sent. */
  readonly stopped?: Failure;
}

/** Up to the first that is not taken, or that there is no time for. The answer is the last one. */
async function sendAll(invocation: Invocation, [first, ...others]: Unit["calls"], key: string, step: Step): Promise<Sent> {
  let sent = await send(invocation, first, key, step);
  for (const call of others) {
    if (!isTaken(sent.answer)) break;
    const stopped = reasonNotToTry(invocation);
    if (stopped !== undefined) return { ...sent, stopped };
    sent = await send(invocation, call, sent.usedKey, step);
  }
  return sent;
}

function reasonNotToTry({ slowDown, hasTime }: Invocation): Failure | undefined {
  if (slowDown !== undefined) return { kind: "not-tried", why: "Segment asked to slow down", after: slowDown };
  return hasTime() ? undefined : { kind: "not-tried", why: "too little time left in this invocation", after: 0 };
}

/**
 * Sends a call with the newest key, and a second time if it is the first of the invocation that fails: that tells a blip or a bad
 * node of Segment's from the rest. After a 429, whosever it was, nothing is sent.
 */
async function send(invocation: Invocation, call: IdentifyCall, knownKey: string, step: Step): Promise<Sent> {
  const { segment, writeKey, random, timing } = invocation;
  const identify = async (key: string, connection: "kept" | "fresh") => {
    const answer = await segment.identify(call, key, connection);
    step(`Segment: ${answer.reason} in ${answer.elapsed} ms`);
    if (answer.status === 429) invocation.slowDown = Math.max(invocation.slowDown ?? 0, answer.retryAfter ?? 0);
    return answer;
  };
  let usedKey = knownKey;
  let answer = await identify(usedKey, "kept");
  if (answer.status === 401 || answer.status === 403) {
    const [current = ""] = await writeKey.refresh();
    step(current === usedKey ? "key read again: the same" : "key read again: another");
    if (current !== usedKey) answer = await identify(current, "kept");
    usedKey = current;
  }
  const once = { answer, usedKey, triedTwice: false };
  if (isTaken(answer) || invocation.slowDown !== undefined || invocation.secondTryMade) return once;
  invocation.secondTryMade = true;
  await sleep(timing.secondTryPause * (1 + random()));
  if (invocation.slowDown !== undefined) return once;
  answer = await identify(usedKey, "fresh");
  return { answer, usedKey, triedTwice: !isTaken(answer) };
}

function isTaken({ status }: SegmentAnswer): boolean {
  return status !== undefined && status >= 200 && status <= 299;
}
