import type { Selection } from "../options";

export type Selects = (name: string) => boolean;

/** Compiles a selection once. No `include` takes every name. Time is linear in a name's length, whatever the wildcards. */
export function compileSelection(selection: Selection): Selects {
  const included = selection.include?.map(toPieces);
  const excluded = (selection.exclude ?? []).map(toPieces);
  if (included === undefined && excluded.length === 0) return () => true;
  return (name) =>
    (included === undefined || included.some((pieces) => matches(pieces, name))) &&
    !excluded.some((pieces) => matches(pieces, name));
}

const toPieces = (pattern: string): readonly string[] => pattern.split(/\*+/);

/** The pieces between wildcards, found one after the other; a regular expression would try every way to place them. */
function matches(pieces: readonly string[], name: string): boolean {
  const [first = "", ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return name === first;
  const end = name.length - last.length;
  if (end < first.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let from = first.length;
  for (const piece of others) {
    const at = name.indexOf(piece, from);
    if (at === -1) return false;
    from = at + piece.length;
  }
  return from <= end;
}
