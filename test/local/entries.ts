import { isJsonObject, tryParseJson } from "../../lambda/json";

export type LogEntry = Readonly<Record<string, unknown>>;

/** As much of a stream as is needed to intercept what is written to it. */
export interface Output {
  write: NodeJS.WriteStream["write"];
}

/** Entries that are kept for the commands. */
const MAX_ENTRIES = 10_000;

/**
 * Takes the functions' log entries out of what is written to the streams. All else passes. Powertools writes each entry in one piece.
 * Returns the latest entries.
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
