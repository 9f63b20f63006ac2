import { LOG_EVENTS } from "../../lambda/names";
import type { LogEntry } from "./entries";
import type { Row } from "./row";
import { causeText } from "./words";

/** The row of a log entry that is not about a single webhook or message. */
export function noticeOf(entry: LogEntry): Row {
  const { service, event, timestamp, userId = "-" } = entry;
  const direction = service === "receive" ? "IN" : "OUT";
  const level = Object.entries(LOG_EVENTS).find(([name]) => name === event)?.[1];
  const tone = level === "warn" ? "warning" : "bad";
  return {
    atMs: Date.parse(String(timestamp)),
    direction,
    status: "-",
    user: String(userId),
    size: "",
    words: causeText(event, entry),
    tone,
  };
}
