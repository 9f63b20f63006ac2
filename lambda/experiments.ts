import { hash } from "node:crypto";
import { type IdentifyCall, MAX_CALL_BYTES, sentAtOf, withSentAt } from "./identify-call";
import { isJsonObject, tryParseJson } from "./json";

/** Segment accepts 500 KB per batch request. 500,000 bytes are safe if a KB has 1,000 bytes and if it has 1,024. */
export const MAX_BATCH_REQUEST_BYTES = 500_000;
/** Maximum characters of a variation. A longer value is sent as its beginning and a hash. */
const MAX_VALUE_LENGTH = 200;
const BEGINNING_LENGTH = 100;
const EVENT_ID_LENGTH = 22;

/** A user's variation in an experiment: the value of a flag that option `experiments` lists. */
export interface Variation {
  readonly flag: string;
  readonly value: string;
  /** `messageId` of the earliest call in the unit since which the flag has had this value. */
  readonly since: string;
}

/** Returns a flag's value as a variation: a string, as Segment's specification requires. Without a value it is `true`. */
export function variationValue(value: string | number | boolean | null): string {
  const text = String(value ?? true);
  if (text.length <= MAX_VALUE_LENGTH) return text;
  return `${text.slice(0, BEGINNING_LENGTH)}…${hash("sha256", text, "hex").slice(0, 8)}`;
}

/** Reads receive's message attribute: variations by flag. If it can't be read, there are no variations. */
export function parseVariations(attribute: string | undefined, since: string): readonly Variation[] {
  const values = tryParseJson(attribute ?? "{}");
  return Object.entries(isJsonObject(values) ? values : {}).map(([flag, value]) => ({ flag, value: String(value), since }));
}

/**
 * Returns Segment's event for A/B tests, one per variation, as JSON. Its id is a hash of the flag's name and of the call since which the
 * flag has had this value, so it is the same in each retry, merged or not. Source: Segment's A/B testing specification.
 */
export function experimentEvents(call: IdentifyCall, variations: readonly Variation[]): readonly string[] {
  const { userId, anonymousId, context, timestamp } = Object(tryParseJson(call.body));
  return variations.map(({ flag, value, since }) => {
    const properties = { experiment_id: flag, experiment_name: flag, variation_id: value, variation_name: value };
    const messageId = hash("sha256", JSON.stringify([flag, since]), "base64url").slice(0, EVENT_ID_LENGTH);
    return JSON.stringify({
      type: "track",
      event: "Experiment Viewed",
      userId,
      anonymousId,
      properties,
      context,
      timestamp,
      messageId,
    });
  });
}

/** Returns the request of an attempt at `nowMs`: the call alone, or a batch with its events. Segment gives one answer to a batch. */
export function requestOf(call: IdentifyCall, events: readonly string[], nowMs: number) {
  if (events.length === 0) return { path: "/v1/identify", body: withSentAt(call, nowMs) };
  const batch = [`{"type":"identify",${call.body.slice(1)}`, ...events].join(",");
  return { path: "/v1/batch", body: `{"batch":[${batch}],${sentAtOf(call, nowMs)}}` };
}

/** Keeps the variations that fit into one batch request with a call of any size. The others are cut. */
export function fitVariations(call: IdentifyCall, variations: readonly Variation[]) {
  const kept: Variation[] = [];
  const cut: { readonly name: string; readonly bytes: number }[] = [];
  let room = MAX_BATCH_REQUEST_BYTES - 2 * MAX_CALL_BYTES;
  for (const [index, event] of experimentEvents(call, variations).entries()) {
    const variation = variations[index];
    const bytes = Buffer.byteLength(event) + 1;
    if (variation === undefined) continue;
    if (bytes > MAX_CALL_BYTES || bytes > room) cut.push({ name: variation.flag, bytes });
    else {
      kept.push(variation);
      room -= bytes;
    }
  }
  return { kept, cut };
}
