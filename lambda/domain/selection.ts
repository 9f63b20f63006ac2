/** Names to take and to leave. `*` stands for any run of characters; leaving wins over taking. */
export interface Selection {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

export type Selects = (name: string) => boolean;

/** Compiles a selection once, so that a name costs one regular expression a list. No `include` takes every name. */
export function compileSelection(selection: Selection = {}): Selects {
  const included = selection.include === undefined ? undefined : anyOf(selection.include);
  const excluded = anyOf(selection.exclude ?? []);
  return (name) => (included === undefined || included.test(name)) && !excluded.test(name);
}

function anyOf(patterns: readonly string[]): RegExp {
  // An empty list matches nothing; [^] is any character, line ends included.
  if (patterns.length === 0) return /(?!)/;
  return new RegExp(`^(?:${patterns.map(toSource).join("|")})$`, "u");
}

function toSource(pattern: string): string {
  return pattern
    .split(/\*+/)
    .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"))
    .join("[^]*");
}
