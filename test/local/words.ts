import type { Flag } from "../../lambda/receive/evaluation";
import type { LogEntry } from "./entries";
import { grouped } from "./row";

/** A name or a value is cut after this many characters, because a body may be 6 MB. */
const MAX_CHARACTERS = 40;

/** A flag as Flagsmith sent it: `checkout = "b"`, `dark_mode on`, `email off`. */
export function flagText({ name, enabled, value }: Flag): string {
  if (!enabled) return `${short(name)} off`;
  return value === null ? `${short(name)} on` : `${short(name)} = ${valueText(value)}`;
}

/** A trait as Segment gets it. `flagNames` are the evaluation's flags: they show whether a flag with one of Segment's own names was renamed. */
export function traitText(name: string, value: unknown, flagNames: ReadonlySet<string>): string {
  const isRenamed = name.startsWith("flag_") && flagNames.has(name.slice("flag_".length)) && !flagNames.has(name);
  return `${short(name)} = ${valueText(value)}${isRenamed ? " (renamed)" : ""}`;
}

function valueText(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(short(value));
  return short(JSON.stringify(value) ?? "");
}

function short(text: string): string {
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
}

/** "109 ms", "12.3 s", "14 min". */
export function elapsedText(elapsedMs: unknown): string {
  if (typeof elapsedMs !== "number") return "";
  if (elapsedMs < 1_000) return `${Math.round(elapsedMs)} ms`;
  return elapsedMs < 100_000 ? `${(elapsedMs / 1_000).toFixed(1)} s` : `${Math.round(elapsedMs / 60_000)} min`;
}

export function flagCount(number: number): string {
  return `${grouped(number)} ${number === 1 ? "flag" : "flags"}`;
}

/** Describes a retry: its time, the attempt that failed, the cause, and the number of messages held behind it. The status has its own column. */
export function retryText({ retryInSeconds, attempt, status, code, reason, remedy, held }: LogEntry): string {
  const wait = `retrying in ${retryInSeconds} s`;
  const tried = attempt === undefined ? "" : ` after attempt ${attempt}`;
  const why = reason === `status ${status}` ? undefined : reason;
  const cause = [code, why].filter((each) => each !== undefined).join(", ");
  const behind = held === undefined ? "" : `; ${held} held behind it`;
  return `${wait}${tried}: ${cause}${behind}${remedyText(remedy)}`;
}

/** Says why a webhook was not accepted, or why a message was dead-lettered. */
export function causeText(event: unknown, { reason, message, remedy }: LogEntry): string {
  return `${event}: ${reason ?? message}${remedyText(remedy)}`;
}

function remedyText(remedy: unknown): string {
  return remedy === undefined ? "" : ` -> ${remedy}`;
}
