import { hash } from "node:crypto";
import type { ReceivedMessage } from "../adapters/queue";
import type { IdentifyCall } from "../identify-call";
import { isJsonObject, type JsonObject, tryParseJson } from "../json";
import { toCall, toCalls } from "../split";

/** A message with the call that it holds. */
export interface ReadMessage {
  readonly message: ReceivedMessage;
  readonly call: IdentifyCall;
}

/** Messages that are delivered together: one, unless they are merged. */
export interface Unit {
  readonly messages: readonly [ReadMessage, ...ReadMessage[]];
  /** All that is delivered, which may exceed a call. */
  readonly whole: IdentifyCall;
  /** The calls that are sent, one after the other. */
  readonly calls: readonly [IdentifyCall, ...IdentifyCall[]];
}

export function unitOf(read: ReadMessage): Unit {
  return { messages: [read], whole: read.call, calls: [read.call] };
}

/** From here on a person sends faster than Segment answers: as many evaluations, or a batch full of parts of large ones. */
const MANY_EVALUATIONS = 5;
const MANY_MESSAGES = 10;

/**
 * One person's messages of a batch, as units in their order. Where there are many, consecutive calls with equal envelopes become
 * one, in which later traits win. `requestId`: of the invocation.
 */
export function mergeBacklog(messages: readonly ReadMessage[], requestId: string): readonly Unit[] {
  const evaluations = new Set(messages.map(({ call }) => call.messageId.replace(/-\d+$/, "")));
  if (evaluations.size < MANY_EVALUATIONS && messages.length < MANY_MESSAGES) return messages.map(unitOf);
  const runs: [ReadMessage, ...ReadMessage[]][] = [];
  let envelope: string | undefined;
  for (const read of messages) {
    const next = envelopeOf(read.call);
    const run = runs.at(-1);
    if (run === undefined || next !== envelope) runs.push([read]);
    else run.push(read);
    envelope = next;
  }
  return runs.map((run) => (run.length === 1 ? unitOf(run[0]) : merged(run, requestId)));
}

/** What Segment must not find mixed: who it is, and whether it counts as activity. */
function envelopeOf({ body }: IdentifyCall): string {
  const { userId, anonymousId, context } = parsed(body);
  return JSON.stringify([userId, anonymousId, isJsonObject(context) ? context.active : undefined]);
}

function merged(messages: readonly [ReadMessage, ...ReadMessage[]], requestId: string): Unit {
  const named = new Map(messages.flatMap(({ call }) => Object.entries(Object(parsed(call.body).traits))));
  const traits = [...named].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const { call: last } = messages.at(-1) ?? messages[0];
  const { traits: _, messageId: __, ...shared } = parsed(last.body);
  const { identity, receivedAt } = last;
  const envelope = { json: JSON.stringify(shared).slice(1, -1), identity, receivedAt, idLength: MERGED_ID_LENGTH };
  const idOf = (part: number) => mergedId(messages, part, requestId);
  return { messages, whole: toCall(envelope, idOf(0), traits), calls: toCalls(envelope, traits, idOf) };
}

/** Less than receive leaves room for, its number of the part included: what fitted fits again. */
const MERGED_ID_LENGTH = 22;

/**
 * A hash of all that is merged, of the part, and of the invocation: were it the same in the next one, Segment would drop a call
 * that it knows, although an older one was taken in between.
 */
function mergedId(messages: readonly ReadMessage[], part: number, requestId: string): string {
  const held = messages.map(({ call }) => [call.messageId, call.body]);
  return hash("sha256", JSON.stringify([requestId, part, held]), "base64url").slice(0, MERGED_ID_LENGTH);
}

/** Receive wrote it, and `parseIdentifyCall` read it before. */
function parsed(body: string): JsonObject {
  return Object(tryParseJson(body));
}
