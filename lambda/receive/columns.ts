/** Segment's own warehouse columns. A warehouse drops a trait with such a column without an error. */
const RESERVED: ReadonlySet<string> = new Set([
  ...["user_id", "anonymous_id", "received_at", "sent_at", "timestamp", "original_timestamp", "uuid", "uuid_ts", "loaded_at"],
  ...["event", "event_text"],
]);

/** Traits that a warehouse drops or overwrites. Profiles and other destinations still get them. */
export interface ColumnProblems {
  readonly reservedColumns: readonly string[];
  /** Names that become the same column. Only one of their values arrives. */
  readonly sameColumn: readonly string[];
}

export function columnProblems(names: Iterable<string>): ColumnProblems {
  const byColumn = new Map<string, string[]>();
  for (const name of names) byColumn.set(columnOf(name), [...(byColumn.get(columnOf(name)) ?? []), name]);
  const reservedColumns = [...byColumn].flatMap(([column, same]) => (RESERVED.has(column) ? same : []));
  return { reservedColumns, sameColumn: [...byColumn.values()].filter(({ length }) => length > 1).flat() };
}

/** Returns Segment's name for the column: `darkMode`, `dark-mode` and `Dark mode` all become `dark_mode`. */
function columnOf(name: string): string {
  const words = name.replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1_$2").replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1_$2");
  return words.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_");
}
