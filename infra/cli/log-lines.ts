import { paginateFilterLogEvents } from "@aws-sdk/client-cloudwatch-logs";
import { hashIdentity } from "../../lambda/identify-call";
import { isJsonObject, tryParseJson } from "../../lambda/json";
import type { Aws } from "./aws";
import type { Pipeline } from "./pipeline";

export interface LogLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a field must be, or begin with. */
export interface Term {
  readonly field: "messageId" | "mergedInto" | "userId";
  readonly value: string;
  readonly match: "whole" | "start";
}

/** Milliseconds that the clocks of this machine and of AWS may differ. */
export const CLOCK_SKEW = 10 * 60_000;

/** Lines of both functions with one of the terms, oldest first. `since`: milliseconds since 1970. */
export async function findLines(
  aws: Aws,
  { receive, deliver }: Pipeline,
  terms: readonly Term[],
  since: number,
): Promise<LogLine[]> {
  const filterPattern = `{ ${terms.map(toPattern).join(" || ")} }`;
  const groups = [receive.logGroup, deliver.logGroup].map(async (logGroupName) => {
    const lines: LogLine[] = [];
    const startTime = since - CLOCK_SKEW;
    // A page may be empty and still not be the last.
    for await (const { events = [] } of paginateFilterLogEvents(
      { client: aws.logs },
      { logGroupName, filterPattern, startTime },
    )) {
      for (const { message = "", timestamp: at = 0 } of events) {
        const fields = tryParseJson(message);
        if (isJsonObject(fields) && terms.some((term) => matches(term, fields))) lines.push({ at, fields });
      }
    }
    return lines;
  });
  return (await Promise.all(groups)).flat().sort((one, other) => one.at - other.at);
}

/** What the message ids of one evaluation's parts begin with. */
export function evaluationOf(messageId: unknown): string {
  return String(messageId).replace(/-\d{1,4}$/, "");
}

function toPattern({ field, value, match }: Term): string {
  return `($.${field} = ${JSON.stringify(match === "start" ? `${value}*` : value)})`;
}

/** To CloudWatch an asterisk in an id stands for anything: it may find more than was meant. */
function matches({ field, value, match }: Term, fields: LogLine["fields"]): boolean {
  const found = String(fields[field]);
  return match === "start" ? found.startsWith(value) : found === value;
}

/** Lines cut a user id after 100 bytes. */
const MAX_USER_ID = 100;

/** A person as the lines name them. */
export function personTerm({ receive }: Pipeline, userId: string): Term {
  const field = "userId";
  if (receive.config.logUserId === "hashed") return { field, value: hashIdentity(userId), match: "whole" };
  if (Buffer.byteLength(userId) <= MAX_USER_ID) return { field, value: userId, match: "whole" };
  const start = Buffer.from(userId).subarray(0, MAX_USER_ID).toString();
  return { field, value: start.replace(/\uFFFD+$/, ""), match: "start" };
}
