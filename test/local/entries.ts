import { isJsonObject, tryParseJson } from "../../lambda/json";

export type LogEntry = Readonly<Record<string, unknown>>;

/** The part of a stream that is needed to intercept its output. */
export interface Output {
  write: NodeJS.WriteStream["write"];
}

/** Number of entries that are kept for the commands. */
const MAX_ENTRIES = 10_000;

/**
 * Removes the functions' log entries from what is written to the streams. All other text passes. This works because Powertools writes
 * each entry in one piece. The returned function gives the latest entries.
 */
export function interceptEntries(
  streams: readonly Output[],
  onEntry: (entry: LogEntry, text: string) => void,
): () => readonly LogEntry[] {
  const entries: LogEntry[] = [];
  for (const stream of streams) {
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...rest: never[]) => {
      const text = String(chunk);
      const entry = text.startsWith("{") ? tryParseJson(text) : undefined;
      if (!isJsonObject(entry) || typeof entry.service !== "string") return write(chunk, ...rest);
      entries.push(entry);
      if (entries.length > MAX_ENTRIES) entries.shift();
      onEntry(entry, text);
      return true;
    };
  }
  return () => entries;
}
