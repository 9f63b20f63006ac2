import { hash } from "node:crypto";
import { experimentEvents, MAX_BATCH_REQUEST_BYTES, type Variation } from "../experiments";
import { MAX_CALL_BYTES } from "../identify-call";
import { isJsonObject, type JsonObject, tryParseJson } from "../json";
import { capacityOf, MAX_CALL_TRAITS, toCall } from "../split";
import type { ReadMessage, Unit } from "./invocation";

/** A user with at least this many evaluations in one batch sends faster than Segment answers. */
const MANY_EVALUATIONS = 5;
/** The number of the part at the end of an id from receive. */
const PART = /-\d+$/;
/** Shorter than the ids of receive, so the traits of a single call still fit. */
const MERGED_ID_LENGTH = 22;

/** Messages that become one call. */
interface Merge {
  /** By flag: the newest variation, with the call since which the flag has had this value. */
  readonly variations: ReadonlyMap<string, Variation>;
  readonly messages: readonly [ReadMessage, ...ReadMessage[]];
  /** The last call, without its id and its traits. */
  readonly shared: JsonObject;
  /** Each trait as JSON, `"name":value`, by its name. */
  readonly traits: ReadonlyMap<string, string>;
}

export function unitOf(read: ReadMessage): Unit {
  return { messages: [read], call: read.call, variations: read.variations };
}

/**
 * Turns one user's messages, in order, into units. If there are many evaluations, consecutive calls with equal envelopes become one unit,
 * as long as it fits into one call. Later traits win. `requestId`: of the invocation.
 */
export function mergeBacklog(messages: readonly ReadMessage[], requestId: string): readonly Unit[] {
  const evaluations = new Set(messages.map(({ call }) => call.messageId.replace(PART, "")));
  if (evaluations.size < MANY_EVALUATIONS) return messages.map(unitOf);
  const merges: Merge[] = [];
  for (const next of messages.map(mergeOf)) {
    const last = merges.pop();
    merges.push(...(last === undefined ? [next] : joined(last, next)));
  }
  return merges.map((merge) => toUnit(merge, requestId));
}

function mergeOf(read: ReadMessage): Merge {
  const { traits, messageId: _, ...shared }: JsonObject = Object(tryParseJson(read.call.body));
  const json = new Map<string, string>();
  for (const [name, value] of Object.entries(Object(traits)))
    json.set(name, `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return { messages: [read], shared, traits: json, variations: new Map(read.variations.map((each) => [each.flag, each])) };
}

/** Joins both, unless their envelopes differ or the call would not fit. */
function joined(last: Merge, next: Merge): readonly Merge[] {
  const traits = new Map([...last.traits, ...next.traits]);
  const bytes = [...traits.values()].reduce((sum, trait) => sum + Buffer.byteLength(trait) + 1, -1); // with commas between them
  const variations = new Map(last.variations);
  for (const [flag, later] of next.variations) if (variations.get(flag)?.value !== later.value) variations.set(flag, later);
  const { call } = next.messages[0];
  const events = experimentEvents(call, [...variations.values()]);
  const fits = traits.size <= MAX_CALL_TRAITS && bytes <= capacityOf(envelopeOf(next));
  const fitsInBatch = Buffer.byteLength(events.join()) + 2 * MAX_CALL_BYTES <= MAX_BATCH_REQUEST_BYTES;
  if (keyOf(last) !== keyOf(next) || !fits || !fitsInBatch) return [last, next];
  return [{ messages: [...last.messages, ...next.messages], shared: next.shared, traits, variations }];
}

/** Merged calls must have equal keys: the user, and whether the call counts as activity. */
function keyOf({ shared: { userId, anonymousId, context } }: Merge): string {
  return JSON.stringify([userId, anonymousId, isJsonObject(context) ? context.active : undefined]);
}

function envelopeOf({ shared, messages }: Merge) {
  const { identity, receivedAtMs } = (messages.at(-1) ?? messages[0]).call;
  return { json: JSON.stringify(shared).slice(1, -1), identity, receivedAtMs, idLength: MERGED_ID_LENGTH };
}

/**
 * The id is a hash of the merged calls and of the invocation. If the next invocation used the same id, Segment could drop the call as a
 * duplicate although it accepted an older one in between.
 */
function toUnit(merge: Merge, requestId: string): Unit {
  const { messages, traits, variations } = merge;
  if (messages.length === 1) return unitOf(messages[0]);
  const held = messages.map(({ call }) => [call.messageId, call.body]);
  const messageId = hash("sha256", JSON.stringify([requestId, held]), "base64url").slice(0, MERGED_ID_LENGTH);
  const call = toCall(envelopeOf(merge), messageId, [...traits.values()]);
  return { messages, call, variations: [...variations.values()] };
}
