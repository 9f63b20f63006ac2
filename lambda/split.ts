import { type IdentifyCall, MAX_CALL_BYTES, SENT_AT_BYTES } from "./identify-call";

/** Segment's profiles reject an identify with 300 traits or more. */
export const MAX_CALL_TRAITS = 299;

/** What the parts of a large call share. */
export interface Envelope extends Pick<IdentifyCall, "identity" | "receivedAtMs"> {
  /** All fields except the message id and the traits, as JSON without the outer braces. */
  readonly json: string;
  /** Bytes of the longest message id, as JSON without its quotes. */
  readonly idLength: number;
}

type Calls = readonly [IdentifyCall, ...IdentifyCall[]];

/** Returns how many bytes of JSON the traits of one call may have, commas included. */
export function capacityOf({ json, idLength }: Envelope): number {
  return MAX_CALL_BYTES - SENT_AT_BYTES - Buffer.byteLength(bodyOf(json, "-".repeat(idLength), []));
}

/**
 * Distributes the traits over as few calls as their order allows, in linear time. Each trait is JSON: `"name":value`. There is at least
 * one call, which may have no traits. A trait that is larger than a call gets its own call. `idOf` counts parts from 1.
 */
export function toCalls(envelope: Envelope, traits: Iterable<string>, idOf: (part: number) => string): Calls {
  const capacity = capacityOf(envelope);
  const first: string[] = [];
  const others: string[][] = [];
  let open = first;
  let bytes = 0;
  for (const trait of traits) {
    const size = Buffer.byteLength(trait) + 1; // with its comma
    const fits = open.length < MAX_CALL_TRAITS && bytes + size - 1 <= capacity;
    if (!fits && open.length > 0) {
      open = [];
      others.push(open);
      bytes = 0;
    }
    open.push(trait);
    bytes += size;
  }
  return [toCall(envelope, idOf(1), first), ...others.map((part, index) => toCall(envelope, idOf(index + 2), part))];
}

/** Returns one call with all of these traits. */
export function toCall({ json, identity, receivedAtMs }: Envelope, messageId: string, traits: readonly string[]): IdentifyCall {
  return { body: bodyOf(json, messageId, traits), messageId, identity, receivedAtMs, traitCount: traits.length };
}

function bodyOf(envelope: string, messageId: string, traits: readonly string[]): string {
  return `{${envelope},"messageId":${JSON.stringify(messageId)},"traits":{${traits.join(",")}}}`;
}
