import type { LogLine } from "./capture";

/** `{ ($.event = "delivered") && ($.latencyMs >= 0) }`, as far as this product writes such patterns. */
export function matchesFilter(pattern: string, line: LogLine): boolean {
  const body = /^\{ (.+) \}$/.exec(pattern)?.[1];
  if (body === undefined) throw new Error(`not a pattern for JSON: ${pattern}`);
  return body.split(" && ").every((term) => matchesTerm(term, line));
}

function matchesTerm(term: string, line: LogLine): boolean {
  const [, field = "", operator, literal = ""] = /^\(\$\.(\w+) (=|>=|>) (.+)\)$/.exec(term) ?? [];
  const value = line[field];
  const expected: unknown = JSON.parse(literal);
  if (operator === "=") {
    const [, end = ""] = /^\*(.+)$/.exec(String(expected)) ?? [];
    return end === "" ? value === expected : typeof value === "string" && value.endsWith(end);
  }
  if (typeof value !== "number" || typeof expected !== "number") return false;
  return operator === ">" ? value > expected : value >= expected;
}

/** What CloudWatch adds to the metric for a line that matches; undefined = nothing. */
export function metricValueOf(value: string, line: LogLine): number | undefined {
  if (!value.startsWith("$.")) return Number(value);
  const found = line[value.slice(2)];
  return typeof found === "number" ? found : undefined;
}
