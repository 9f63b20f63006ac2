import { tryParseJson } from "../../../lambda/json";
import { fixOf, networkMeaning } from "../articles";
import type { Aws } from "../aws";
import { CommandError, DEFAULT_SECONDS } from "../command";
import { findEntries, type LogEntry } from "../log-entries";
import type { Pipeline } from "../pipeline";
import { postSigned } from "../send";
import { type Verdict, verdict } from "./finding";

/** The user in the evaluations that doctor sends. */
export const IDENTITY = "doctor";

/** Sends a signed evaluation of user `doctor`. Its flag has a new value each time, so the call is never unchanged. */
export async function post(url: string, secret: string): Promise<{ readonly verdict: Verdict; readonly messageId?: string }> {
  const flag = { enabled: true, feature: { name: "flagsmith_to_segment_doctor" } };
  const flags = [{ ...flag, feature_state_value: new Date().toISOString() }];
  const answer = await postSigned(url, Buffer.from(JSON.stringify({ flags, identity: IDENTITY })), secret).catch(noAnswer);
  if ("verdict" in answer) return answer;
  const { status, body } = answer;
  const { messageId, reason }: { readonly messageId?: unknown; readonly reason?: unknown } = Object(tryParseJson(body));
  if (status === 202 && typeof messageId === "string") {
    return { verdict: verdict("ok", `${url} answers 202`), messageId };
  }
  if (status === 202 || reason === undefined) {
    const detail = `${url} answers ${status}, but not as receive does`;
    return { verdict: verdict("failed", detail, fixOfStrangeAnswer(status)) };
  }
  if (status === 200) {
    const fix = "an option skips the identity doctor: the pipeline works, and this call can't be followed further";
    return { verdict: verdict("warning", `answers 200: ${reason}`, fix) };
  }
  const article = status === 401 ? "Wrong secret" : status === 503 ? "Unavailable" : "Invalid webhooks";
  return { verdict: verdict("failed", `answers ${status}: ${reason}`, `infra/RUNBOOK.md, ${article}`) };
}

function noAnswer(error: unknown): { readonly verdict: Verdict } {
  if (error instanceof CommandError) return { verdict: verdict("failed", error.message) };
  throw error;
}

/** The fix for a status of API Gateway, or of a proxy in front of it. */
function fixOfStrangeAnswer(status: number): string {
  if (status === 429 || status >= 500) return "infra/RUNBOOK.md, Refused by API Gateway";
  if (status === 404) return "is it this pipeline's URL? It ends in /webhook";
  return "is a proxy or a firewall in between? A custom domain is given by --url";
}

const DONE: Readonly<Record<string, string>> = {
  delivered: "delivered to Segment",
  merged: "delivered to Segment in a merged call",
  unchanged: "unchanged, so not sent again",
  "dry-run": "logged: option dryRun is on, nothing is sent",
};

/** Maximum number of searches. With the pause of 2 s they last a minute, because CloudWatch shows entries after some seconds. */
const LOOKS = 30;

/** Waits until the log shows the outcome of a call. */
export async function follow(
  aws: Aws,
  pipeline: Pipeline,
  messageId: string,
  progress: (text: string) => void,
): Promise<Verdict> {
  const sinceMs = Date.now();
  const terms = [{ field: "messageId", value: messageId, match: "whole" } as const];
  let last: LogEntry["fields"] | undefined;
  for (let look = 0; look < LOOKS; look++) {
    if (look % 5 === 0) progress(`waiting for the log to say what became of ${messageId}`);
    const deadlineMs = Date.now() + DEFAULT_SECONDS * 1_000;
    const { entries } = await findEntries(aws, pipeline, { terms, sinceMs, deadlineMs });
    const found = entries.map(({ fields }) => fields);
    const done = found.find(({ event }) => DONE[String(event)] !== undefined);
    if (done !== undefined) return verdict("ok", DONE[String(done.event)] ?? "");
    last = found.findLast(({ event }) => event === "retrying" || event === "dead-lettered") ?? last;
    if (last?.event === "dead-lettered" || last?.actor === "operator") break;
    await new Promise((resolve) => setTimeout(resolve, aws.pauseMs));
  }
  if (last === undefined) {
    return verdict("failed", "deliver has logged nothing about it yet", "infra/RUNBOOK.md, Nothing delivered");
  }
  const { segmentEndpoint: endpoint } = pipeline.deliver.config;
  const { event, status, reason = `status ${status}` } = last;
  const meaning = networkMeaning(last, endpoint);
  return verdict("failed", `${event}: ${reason}${meaning === undefined ? "" : `: ${meaning}`}`, fixOf(last, endpoint));
}
