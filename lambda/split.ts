/** Segment's profiles reject an identify with 300 traits or more. */
export const MAX_CALL_TRAITS = 299;

/** The traits of one call, as the inside of a JSON object. */
export interface Part {
  readonly json: string;
  readonly count: number;
}

/**
 * Fills parts with traits in their order, each `"name":value` as JSON: at most `capacity` bytes of UTF-8 and 299 traits a part,
 * in time linear in their size. There is at least one part, which may be empty. A trait larger than a part gets one of its own.
 */
export function splitTraits(traits: Iterable<string>, capacity: number): readonly [Part, ...Part[]] {
  const parts: Part[] = [];
  let open: string[] = [];
  let bytes = 0;
  for (const trait of traits) {
    const size = Buffer.byteLength(trait) + 1; // with its comma
    const fits = open.length < MAX_CALL_TRAITS && bytes + size - 1 <= capacity;
    if (!fits && open.length > 0) {
      parts.push(close(open));
      open = [];
      bytes = 0;
    }
    open.push(trait);
    bytes += size;
  }
  const last = close(open);
  const [first, ...others] = parts;
  return first === undefined ? [last] : [first, ...others, last];
}

function close(traits: readonly string[]): Part {
  return { json: traits.join(","), count: traits.length };
}
