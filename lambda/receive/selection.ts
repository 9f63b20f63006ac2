import type { Selection } from "../options";

export type Selects = (name: string) => boolean;

/** Compiles a selection once. Without `include` every name is selected. Time is linear in a name's length with any wildcards. */
export function compileSelection(selection: Selection): Selects {
  const included = selection.include?.map(toPieces);
  const excluded = (selection.exclude ?? []).map(toPieces);
  if (included === undefined && excluded.length === 0) return () => true;
  return (name) =>
    (included === undefined || included.some((pieces) => matches(pieces, name))) &&
    !excluded.some((pieces) => matches(pieces, name));
}

const toPieces = (pattern: string): readonly string[] => pattern.split(/\*+/);

/** Finds the pieces between the wildcards in sequence. A regular expression would backtrack over every position. */
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
