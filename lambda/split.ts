import { type IdentifyCall, MAX_CALL_BYTES, SENT_AT_BYTES } from "./identify-call";

/** Segment's profiles reject an identify with 300 traits or more. */
export const MAX_CALL_TRAITS = 299;

/** What the parts of a large call share. */
export interface Envelope extends Pick<IdentifyCall, "identity" | "receivedAtMs"> {
  /** All but the message id and the traits, as the inside of a JSON object. */
  readonly json: string;
  /** Bytes of the longest message id, as JSON without its quotes. */
  readonly idLength: number;
}

type Calls = readonly [IdentifyCall, ...IdentifyCall[]];

/** Bytes of JSON that the traits of one call may take, commas included. */
export function capacityOf({ json, idLength }: Envelope): number {
  return MAX_CALL_BYTES - SENT_AT_BYTES - Buffer.byteLength(bodyOf(json, "-".repeat(idLength), []));
}

/**
 * As many calls as the traits need, in their order, each trait `"name":value` as JSON, in time linear in their size. There is at
 * least one call, which may be empty. A trait larger than a call gets one of its own. `idOf`: from 1.
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

/** One call with all of these traits. */
export function toCall({ json, identity, receivedAtMs }: Envelope, messageId: string, traits: readonly string[]): IdentifyCall {
  return { body: bodyOf(json, messageId, traits), messageId, identity, receivedAtMs, traitCount: traits.length };
}

function bodyOf(envelope: string, messageId: string, traits: readonly string[]): string {
  return `{${envelope},"messageId":${JSON.stringify(messageId)},"traits":{${traits.join(",")}}}`;
}
