export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(input: unknown): input is JsonObject {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/** The parsed text; undefined if it is not JSON. V8's SyntaxError quotes the text, so it is not passed on. */
export function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
