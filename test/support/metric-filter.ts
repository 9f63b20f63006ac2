import type { LogLine } from "../cloud/control-plane-logs";

/** Evaluates a pattern such as `{ ($.event = "retrying") && ($.ageMs > 900000) }`, as far as this product uses the syntax. */
export function matchesFilter(pattern: string, line: LogLine): boolean {
  const body = /^\{ (.+) \}$/.exec(pattern)?.[1];
  if (body === undefined) throw new Error(`not a pattern for JSON: ${pattern}`);
  return body.split(" || ").some((part) => part.split(" && ").every((term) => matchesTerm(term, line)));
}

function matchesTerm(term: string, line: LogLine): boolean {
  const [, field = "", operator, literal = ""] = /^\(\$\.(\w+) (=|!=|>=|>) (.+)\)$/.exec(term) ?? [];
  const value = line[field];
  const expected: unknown = JSON.parse(literal);
  // A log entry without the field matches no term.
  if (value === undefined) return false;
  if (operator === "!=") return value !== expected;
  if (operator === "=") {
    const [, end = ""] = /^\*(.+)$/.exec(String(expected)) ?? [];
    return end === "" ? value === expected : typeof value === "string" && value.endsWith(end);
  }
  if (typeof value !== "number" || typeof expected !== "number") return false;
  return operator === ">" ? value > expected : value >= expected;
}
