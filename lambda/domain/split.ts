import { stringifyScalar } from "./json";
import type { Trait, TraitValue } from "./traits";

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
  let part = new OpenPart(capacity);
  for (const [name, trait] of traits) {
    const piece = toPiece(name, trait, capacity, cut);
    if (piece === undefined || part.add(piece)) continue;
    parts.push(part.close());
    part = new OpenPart(capacity);
    part.add(piece);
  }
  if (part.count > 0 || parts.length === 0) parts.push(part.close());
  return { parts, cut };
}

/** A UTF-16 unit is at most 3 bytes of UTF-8, so most parts need no counting, which takes as long as all the rest. */
const MAX_UNIT_BYTES = 3;

class OpenPart {
  readonly #capacity: number;
  readonly #pieces: string[] = [];
  /** At least as many as there are; exact from where the bound no longer fits. */
  #bytes = 0;
  #exact = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#pieces.length;
  }

  /** False if it is full. An empty one takes whatever comes, so that nothing is lost. */
  add(piece: string): boolean {
    if (this.#pieces.length === MAX_CALL_TRAITS) return false;
    const comma = this.#pieces.length === 0 ? 0 : 1;
    if (!this.#exact) {
      const atMost = this.#bytes + comma + piece.length * MAX_UNIT_BYTES;
      if (atMost <= this.#capacity) return this.#push(piece, atMost);
      this.#bytes = Buffer.byteLength(this.#pieces.join(","));
      this.#exact = true;
    }
    const bytes = this.#bytes + comma + Buffer.byteLength(piece);
    return (bytes <= this.#capacity || this.count === 0) && this.#push(piece, bytes);
  }

  #push(piece: string, bytes: number): true {
    this.#pieces.push(piece);
    this.#bytes = bytes;
    return true;
  }

  close(): Part {
    return { json: this.#pieces.join(","), count: this.#pieces.length };
  }
}

function toPiece(name: string, trait: Trait, capacity: number, cut: CutTrait[]): string | undefined {
  const key = stringifyScalar(name);
  const value = stringify(trait.value);
  const piece = `${key}:${value}`;
  if (piece.length * MAX_UNIT_BYTES <= capacity || Buffer.byteLength(piece) <= capacity) return piece;
  cut.push({ name, bytes: Buffer.byteLength(value) });
  return trait.fallback === undefined ? undefined : `${key}:${trait.fallback}`;
}

function stringify(value: TraitValue): string {
  return value !== null && typeof value === "object" ? JSON.stringify(value) : stringifyScalar(value);
}
