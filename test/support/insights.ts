import type { LogLine } from "./capture";

type Row = Record<string, unknown>;

/** Logs Insights, as far as the saved queries use it: fields, filter, stats, sort, limit. `@timestamp` is the line's own. */
export function runQuery(query: string, lines: readonly LogLine[]): readonly Row[] {
  const commands = query.split("|").map((command) => command.trim());
  let rows: Row[] = lines.map((line) => ({ ...line, "@timestamp": line.timestamp }));
  let shown: readonly string[] | undefined;
  for (const command of commands) {
    const [verb = "", rest = ""] = splitOnce(command);
    if (verb === "fields") shown = names(rest);
    else if (verb === "filter") rows = rows.filter((row) => holds(rest, row));
    else if (verb === "sort") rows = sorted(rows, rest);
    else if (verb === "limit") rows = rows.slice(0, Number(rest));
    else if (verb === "stats") rows = aggregate(rows, rest);
    else throw new Error(`a command that the interpreter does not know: ${command}`);
  }
  const chosen = shown;
  return chosen === undefined
    ? rows
    : rows.map((row) => Object.fromEntries(chosen.filter((name) => name in row).map((name) => [name, row[name]])));
}

function splitOnce(command: string): readonly string[] {
  const at = command.search(/\s/);
  return [command.slice(0, at), command.slice(at + 1).trim()];
}

const names = (list: string) => list.split(",").map((name) => name.trim());

function holds(condition: string, row: Row): boolean {
  return condition.split(" or ").some((term) => holdsOne(term.trim(), row));
}

function holdsOne(term: string, row: Row): boolean {
  const present = /^ispresent\((\w+)\)$/.exec(term);
  if (present?.[1] !== undefined) return row[present[1]] !== undefined;
  const [, field = "", operator, literal = ""] = /^(\w+) (=|in) (.+)$/.exec(term) ?? [];
  const expected: unknown = JSON.parse(literal);
  if (operator === "in") return Array.isArray(expected) && expected.includes(row[field]);
  if (operator === "=") return row[field] === expected;
  throw new Error(`a condition that the interpreter does not know: ${term}`);
}

function sorted(rows: readonly Row[], order: string): Row[] {
  const [field = "", direction] = order.split(/\s+/);
  const sign = direction === "desc" ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [one[field], other[field]];
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  });
}

function aggregate(rows: readonly Row[], statement: string): Row[] {
  const [columns = "", by = ""] = statement.split(" by ");
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(names(by).map((name) => (name.startsWith("bin(") ? name : row[name])));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const aggregates = columns.split(/,(?![^(]*\))/).map((column) => column.trim());
  return [...groups.values()].map((members) => {
    const grouped = names(by).map((name) => [name, members[0]?.[name]]);
    return Object.fromEntries([...grouped, ...aggregates.map((column) => evaluate(column, members))]);
  });
}

function evaluate(column: string, members: readonly Row[]): readonly [string, number] {
  const [, fn = "", args = "", alias = ""] = /^(\w+)\(([^)]*)\) as (\w+)$/.exec(column) ?? [];
  const [field = "", percent] = names(args);
  if (fn === "count") return [alias, members.length];
  const numbers = members.map((row) => Number(row[field])).sort((one, other) => one - other);
  if (fn === "max") return [alias, numbers.at(-1) ?? Number.NaN];
  if (fn === "pct") return [alias, numbers[Math.ceil((Number(percent) / 100) * numbers.length) - 1] ?? Number.NaN];
  throw new Error(`a function that the interpreter does not know: ${column}`);
}
