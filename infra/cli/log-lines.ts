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

/** What a field must be; an asterisk at its end stands for anything. */
export type Term = readonly [field: "messageId" | "mergedInto" | "userId", value: string];

/** Milliseconds that the clocks of this machine and of AWS may differ. */
export const CLOCK_SKEW = 10 * 60_000;

/** Lines of both functions with one of the terms, oldest first. `since`: milliseconds since 1970. */
export async function findLines(
  aws: Aws,
  { receive, deliver }: Pipeline,
  terms: readonly Term[],
  since: number,
): Promise<LogLine[]> {
  const filterPattern = `{ ${terms.map(([field, value]) => `($.${field} = ${JSON.stringify(value)})`).join(" || ")} }`;
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
        if (isJsonObject(fields)) lines.push({ at, fields });
      }
    }
    return lines;
  });
  return (await Promise.all(groups)).flat().sort((one, other) => one.at - other.at);
}

/** Lines cut a user id after 100 bytes. */
const MAX_USER_ID = 100;

/** A user as the lines name them. */
export function loggedUserId({ receive }: Pipeline, userId: string): string {
  if (receive.config.logUserId === "hashed") return hashIdentity(userId);
  if (Buffer.byteLength(userId) <= MAX_USER_ID) return userId;
  return `${Buffer.from(userId)
    .subarray(0, MAX_USER_ID)
    .toString()
    .replace(/\uFFFD+$/, "")}*`;
}
