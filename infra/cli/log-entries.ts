import { FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { hashIdentity } from "../../lambda/identify-call";
import { isJsonObject, tryParseJson } from "../../lambda/json";
import { required } from "./answer";
import type { Aws } from "./aws";
import type { DeployedFunction, Pipeline } from "./pipeline";

export interface LogEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A value that a field must have or begin with. */
export interface Term {
  readonly field: "messageId" | "mergedInto" | "userId" | "event";
  readonly value: string;
  readonly match: "whole" | "start";
}

export interface Search {
  readonly terms: readonly Term[];
  /** Start of the search, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** The time at which the search must end, in milliseconds since 1970. */
  readonly deadlineMs: number;
  /** Whether the entries found so far are enough. If they are, older hours are not searched. @default - never */
  readonly isEnough?: (entries: readonly LogEntry[]) => boolean;
  /** Called every two seconds or less often. */
  readonly progress?: (text: string) => void;
}

export interface Found {
  /** Oldest first. */
  readonly entries: readonly LogEntry[];
  /** Everything since this time was searched. Milliseconds since 1970. */
  readonly searchedSinceMs: number;
  /** Why the search ended early. undefined = it was complete, or `isEnough` ended it. */
  readonly ended: string | undefined;
}

/** Allowed difference between the clocks of this machine and of AWS. */
export const CLOCK_SKEW_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;
/** Minimum time between two reports of progress. */
const PROGRESS_MS = 2_000;

/**
 * Searches the log entries of both functions, newest hour first. Throttling, a page token that AWS repeats, and the deadline end the
 * search. The result then has the entries found so far. @throws any other error of AWS, such as a missing right.
 */
export async function findEntries(aws: Aws, { receive, deliver }: Pipeline, search: Search): Promise<Found> {
  const entries: LogEntry[] = [];
  const inOrder = () => [...entries].sort((one, other) => one.at - other.at);
  const firstMs = search.sinceMs - CLOCK_SKEW_MS;
  let searchedSinceMs = Date.now() + CLOCK_SKEW_MS;
  let reportedAtMs = Date.now();
  while (searchedSinceMs > firstMs) {
    const hour = { startMs: Math.max(firstMs, searchedSinceMs - HOUR_MS), endMs: searchedSinceMs };
    const pages = await Promise.all([receive, deliver].map((one) => hourOf(aws, one, search, hour)));
    entries.push(...pages.flatMap((page) => page.entries));
    const ended = pages.find((page) => page.ended !== undefined)?.ended;
    if (ended !== undefined) return { entries: inOrder(), searchedSinceMs, ended };
    searchedSinceMs = hour.startMs;
    if (search.isEnough?.(entries) === true) break;
    if (searchedSinceMs <= firstMs || Date.now() - reportedAtMs < PROGRESS_MS) continue;
    reportedAtMs = Date.now();
    search.progress?.(`searched back to ${new Date(searchedSinceMs).toISOString()}`);
  }
  return { entries: inOrder(), searchedSinceMs: Math.max(searchedSinceMs, search.sinceMs), ended: undefined };
}

interface Hour {
  readonly startMs: number;
  readonly endMs: number;
}

/** One function's entries of one hour, and why the search ended early. */
async function hourOf(aws: Aws, { name, logGroup }: DeployedFunction<unknown>, search: Search, { startMs, endMs }: Hour) {
  const { terms, deadlineMs } = search;
  const entries: LogEntry[] = [];
  const filterPattern = patternOf(terms);
  const tokens = new Set<string>();
  let nextToken: string | undefined;
  for (;;) {
    const leftMs = deadlineMs - Date.now();
    if (leftMs <= 0) return { entries, ended: "the time is used up" };
    // The range of FilterLogEvents includes its end.
    const range = { logGroupName: logGroup, filterPattern, startTime: startMs, endTime: endMs - 1 };
    const command = new FilterLogEventsCommand({ ...range, ...(nextToken === undefined ? {} : { nextToken }) });
    try {
      const { events, nextToken: next } = await aws.logs.send(command, { abortSignal: AbortSignal.timeout(leftMs) });
      for (const { message = "", timestamp: at = 0, logStreamName = "" } of required(events, "events")) {
        const fields = tryParseJson(message);
        if (!isJsonObject(fields) || !isOf(name, logStreamName)) continue;
        if (terms.some((term) => matches(term, fields))) entries.push({ at, fields });
      }
      // An empty page may be followed by other pages.
      if (next === undefined) return { entries, ended: undefined };
      if (tokens.has(next)) return { entries, ended: "AWS repeats a page" };
      tokens.add(next);
      nextToken = next;
    } catch (error) {
      const ended = reasonToEnd(error);
      if (ended === undefined) throw error;
      return { entries, ended };
    }
  }
}

function reasonToEnd(error: unknown): string | undefined {
  const { name } = Object(error);
  if (/Throttl|LimitExceeded|TooManyRequests/.test(name)) return "AWS throttles the search";
  return name === "AbortError" || name === "TimeoutError" ? "the time is used up" : undefined;
}

/** Functions may share a log group. Then a stream's name contains that of its function, as in `2026/11/27/name[$LATEST]0123`. */
function isOf(name: string, logStreamName: string): boolean {
  const [, of = ""] = /([\w-]*)\[[^\]]*\]\w*$/.exec(logStreamName) ?? [];
  return of === "" || of === name;
}

/** The common start of the message ids of one evaluation. */
export function evaluationOf(messageId: unknown): string {
  return String(messageId).replace(/-\d{1,4}$/, "");
}

/** CloudWatch's limit for a filter pattern, in characters. */
export const MAX_PATTERN = 1_024;

export function patternOf(terms: readonly Term[]): string {
  return `{ ${terms.map(toPattern).join(" || ")} }`;
}

function toPattern({ field, value, match }: Term): string {
  return `($.${field} = ${JSON.stringify(match === "start" ? `${value}*` : value)})`;
}

/** CloudWatch treats an asterisk in an id as a wildcard, so its results may include other ids. */
function matches({ field, value, match }: Term, fields: LogEntry["fields"]): boolean {
  const found = String(fields[field]);
  return match === "start" ? found.startsWith(value) : found === value;
}

/** Log entries cut a user id after 100 bytes. */
const MAX_USER_ID = 100;

/** Finds a user by the id that the log entries have. */
export function userTerm({ receive }: Pipeline, userId: string): Term {
  const field = "userId";
  if (receive.config.logUserId === "hashed") return { field, value: hashIdentity(userId), match: "whole" };
  if (Buffer.byteLength(userId) <= MAX_USER_ID) return { field, value: userId, match: "whole" };
  const start = Buffer.from(userId).subarray(0, MAX_USER_ID).toString();
  return { field, value: start.replace(/\uFFFD+$/, ""), match: "start" };
}
