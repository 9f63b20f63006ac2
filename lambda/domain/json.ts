export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(input: unknown): input is JsonObject {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/** The parsed text; undefined if it is not JSON. V8's SyntaxError quotes the text, so nobody gets to see it. */
export function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A quote, a backslash, a control character or a surrogate: what JSON may have to write otherwise than it is. */
const ESCAPED = /[^ !#-[\]-\uD7FF\uE000-\uFFFF]/;

/** JSON.stringify for a text or a scalar: most need no escaping, which it takes three times as long to find out. */
export function stringifyScalar(value: string | number | boolean | null): string {
  if (typeof value === "string") return ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
  return typeof value === "number" ? JSON.stringify(value) : String(value);
}
