import { isJsonObject, tryParseJson } from "../../lambda/json";
import { captureOutput, type LogLine } from "../support/capture";

/** Lines that are kept for the commands. */
const MOST = 10_000;

/** Shows the functions' lines as one readable line each, or with `json` as they are. All that were written so far. */
export function showLines(json: boolean): () => readonly LogLine[] {
  const lines: LogLine[] = [];
  captureOutput((text) => {
    const line = text.startsWith("{") ? tryParseJson(text) : undefined;
    if (!isJsonObject(line)) return true;
    lines.push(line);
    if (lines.length > MOST) lines.shift();
    if (!json) console.log(readable(line));
    return json;
  });
  return () => lines;
}

/** Fields that tell the story; the others are in the JSON. */
const TOLD = [
  "userId",
  "messageId",
  "mergedInto",
  "attempt",
  "status",
  "latencyMs",
  "retryInSeconds",
  "code",
  "reason",
  "remedy",
  "call",
];

function readable(line: LogLine): string {
  const told = TOLD.flatMap((name) => (line[name] === undefined ? [] : [`${name}=${JSON.stringify(line[name])}`]));
  const [, time = ""] = /T(\d\d:\d\d:\d\d)/.exec(String(line.timestamp)) ?? [];
  return [time, String(line.service).padEnd(7), line.event, ...told].join(" ");
}
