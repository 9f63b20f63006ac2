import { createHmac } from "node:crypto";
import type { IdentifyCall } from "../identify-call";
import { isJsonObject, tryParseJson } from "../json";

/** Names and values as keyed hashes: what is stored tells nobody a person's traits. */
export type Fingerprints = ReadonlyMap<string, string>;

interface LastValue {
  /** Fingerprint of the value. */
  readonly value: string;
  /** Seconds since 1970. */
  readonly at: number;
}

/** What Segment was last given of a person, by the fingerprint of the trait's name. */
export type Delivered = ReadonlyMap<string, LastValue>;

/** Part of every fingerprint: another number makes all of them new. */
const FORMAT = 1;
/** 8 bytes for the name, 8 for the value, 4 for the time. */
const HASH_BYTES = 8;
const ENTRY_BYTES = 2 * HASH_BYTES + 4;
/** 300,000 bytes of the 400 KB that an item may have; 1,000 traits need 20,000. Whatever does not fit counts as new. */
const MAX_ENTRIES = 15_000;
/** Stands for a set without traits, which Segment is told of as well. */
const NO_TRAITS = "";

/** Of a call's traits, for one Segment source: another one, or the person under the other kind of id, knows nothing of them. */
export function fingerprintsOf(call: IdentifyCall, endpoint: string, writeKey: string): Fingerprints {
  const { traits, anonymousId } = Object(tryParseJson(call.body));
  const kind = anonymousId === undefined ? "userId" : "anonymousId";
  const hash = (...parts: readonly string[]) =>
    createHmac("sha256", writeKey)
      .update(JSON.stringify([FORMAT, endpoint, kind, ...parts]))
      .digest()
      .toString("latin1", 0, HASH_BYTES);
  const entries: [string, unknown][] = Object.entries(isJsonObject(traits) ? traits : {});
  if (entries.length === 0) entries.push([NO_TRAITS, null]);
  // The first tells whose the others are.
  const source = [hash(), hash()] as const;
  return new Map([source, ...entries.map(([name, value]) => [hash(name), hash(name, JSON.stringify(value))] as const)]);
}

/** Whether Segment has every one of these traits, from less than `refresh` seconds ago. An absent trait is no change. */
export function isUnchanged(delivered: Delivered, prints: Fingerprints, now: number, refresh: number): boolean {
  return [...prints].every(([name, value]) => {
    const last = delivered.get(name);
    return last !== undefined && last.value === value && !isDue(last.at, now, refresh);
  });
}

/**
 * What Segment has once it took these traits. Those whose refresh is due are left out: they count as new in any case. So are those
 * of another key: while a key is rotated both may be of one source, and what was sent with the other is newer.
 */
export function withDelivered(delivered: Delivered, prints: Fingerprints, now: number, refresh: number): Delivered {
  const at = Math.floor(now);
  const [source = ""] = prints.keys();
  const known = delivered.has(source) ? [...delivered] : [];
  const fresh = [...prints].map(([name, value]): [string, LastValue] => [name, { value, at }]);
  const kept = known.filter(([name, last]) => !prints.has(name) && !isDue(last.at, now, refresh));
  return new Map([...fresh, ...kept].slice(0, MAX_ENTRIES));
}

/** A clock that is behind must not make a trait wait for longer. */
function isDue(at: number, now: number, refresh: number): boolean {
  return Math.abs(now - at) >= refresh;
}

export function encodeDelivered(delivered: Delivered): Buffer {
  const bytes = Buffer.alloc(delivered.size * ENTRY_BYTES);
  let offset = 0;
  for (const [name, { value, at }] of delivered) {
    bytes.write(name + value, offset, "latin1");
    bytes.writeUInt32BE(at, offset + 2 * HASH_BYTES);
    offset += ENTRY_BYTES;
  }
  return bytes;
}

/** What can't be read counts as never delivered. */
export function decodeDelivered(bytes: Buffer): Delivered {
  const delivered = new Map<string, LastValue>();
  for (let offset = 0; offset + ENTRY_BYTES <= bytes.length; offset += ENTRY_BYTES) {
    const hashes = bytes.toString("latin1", offset, offset + 2 * HASH_BYTES);
    const at = bytes.readUInt32BE(offset + 2 * HASH_BYTES);
    delivered.set(hashes.slice(0, HASH_BYTES), { value: hashes.slice(HASH_BYTES), at });
  }
  return delivered;
}
