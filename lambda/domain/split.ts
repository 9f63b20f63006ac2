import type { Trait } from "./traits";

/** Segment's profiles reject an identify with 300 traits or more. */
export const MAX_CALL_TRAITS = 299;

/** The traits of one call, as the inside of a JSON object. */
export interface Part {
  readonly json: string;
  readonly count: number;
}

/** A trait whose value alone exceeds a call, with the value's size in bytes of JSON. */
export interface CutTrait {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Splits traits into parts of at most `capacity` bytes of UTF-8 and 299 traits, in order and in time linear in their size.
 * There is at least one part, which may be empty. A value that no part can hold gives way to its trait's fallback.
 */
export function splitTraits(
  traits: ReadonlyMap<string, Trait>,
  capacity: number,
): { readonly parts: readonly Part[]; readonly cut: readonly CutTrait[] } {
  const parts: Part[] = [];
  const cut: CutTrait[] = [];
  let pieces: string[] = [];
  let bytes = 0;
  const close = () => {
    parts.push({ json: pieces.join(","), count: pieces.length });
    pieces = [];
    bytes = 0;
  };
  for (const [name, trait] of traits) {
    const piece = toPiece(name, trait, capacity, cut);
    if (piece === undefined) continue;
    const comma = pieces.length === 0 ? 0 : 1;
    const added = Buffer.byteLength(piece);
    if (bytes + comma + added > capacity || pieces.length === MAX_CALL_TRAITS) close();
    bytes += added + (pieces.length === 0 ? 0 : 1);
    pieces.push(piece);
  }
  if (pieces.length > 0 || parts.length === 0) close();
  return { parts, cut };
}

function toPiece(name: string, trait: Trait, capacity: number, cut: CutTrait[]): string | undefined {
  const key = JSON.stringify(name);
  const value = JSON.stringify(trait.value);
  const piece = `${key}:${value}`;
  // A UTF-16 unit is at most 3 bytes of UTF-8, so most pieces need no counting.
  if (piece.length * 3 <= capacity || Buffer.byteLength(piece) <= capacity) return piece;
  cut.push({ name, bytes: Buffer.byteLength(value) });
  return trait.fallback === undefined ? undefined : `${key}:${trait.fallback}`;
}
