import { tryParseJson } from "../../../lambda/json";
import type { Aws } from "../aws";
import { findLines, type LogLine } from "../log-lines";
import type { Pipeline } from "../pipeline";
import { postSigned } from "../send";
import { type Verdict, verdict } from "./finding";

const IDENTITY = "doctor";

/** Sends a signed evaluation of the identity `doctor`, new each time. */
export async function post(url: string, secret: string): Promise<{ readonly verdict: Verdict; readonly messageId?: string }> {
  const flag = { enabled: true, feature: { name: "flagsmith_to_segment_doctor" } };
  const flags = [{ ...flag, feature_state_value: new Date().toISOString() }];
  const { status, body } = await postSigned(url, Buffer.from(JSON.stringify({ flags, identity: IDENTITY })), secret);
  const { messageId, reason }: { readonly messageId?: unknown; readonly reason?: unknown } = Object(tryParseJson(body));
  if (status === 202 && typeof messageId === "string") {
    return { verdict: verdict("ok", `${url} answers 202`), messageId };
  }
  if (status === 202 || reason === undefined) {
    const detail = `${url} answers ${status}, but not as receive does`;
    return { verdict: verdict("failed", detail, "is it this stack's WebhookUrl? 403, 429, 5xx: see the access log") };
  }
  if (status === 200) {
    const fix = "an option leaves out the identity doctor: the pipeline works, and can't be followed further";
    return { verdict: verdict("warning", `answers 200: ${reason}`, fix) };
  }
  const fix = "receive's log says why: saved query Which events failed and why";
  return { verdict: verdict("failed", `answers ${status}: ${reason}`, fix) };
}

const DONE: Readonly<Record<string, string>> = {
  delivered: "delivered to Segment",
  merged: "delivered to Segment in a merged call",
  unchanged: "unchanged, so not sent again",
  "dry-run": "logged: option dryRun is on, nothing is sent",
};

/** Looks at the log. CloudWatch shows lines after some seconds: a minute in all. */
const LOOKS = 30;

/** Waits until the log tells what became of a call. */
export async function follow(
  aws: Aws,
  pipeline: Pipeline,
  messageId: string,
  progress: (text: string) => void,
): Promise<Verdict> {
  const since = Date.now();
  const term = { field: "messageId", value: messageId, match: "whole" } as const;
  let last: LogLine["fields"] | undefined;
  for (let look = 0; look < LOOKS; look++) {
    if (look % 5 === 0) progress(`waiting for the log to tell what became of ${messageId}`);
    const lines = (await findLines(aws, pipeline, [term], since)).map(({ fields }) => fields);
    const done = lines.find(({ event }) => DONE[String(event)] !== undefined);
    if (done !== undefined) return verdict("ok", DONE[String(done.event)] ?? "");
    last = lines.findLast(({ event }) => event === "retrying" || event === "dead-lettered") ?? last;
    if (last?.event === "dead-lettered" || last?.actor === "operator") break;
    await new Promise((resolve) => setTimeout(resolve, aws.pause));
  }
  if (last === undefined) {
    return verdict("failed", "no line of deliver about it yet", "infra/RUNBOOK.md, Nothing delivered");
  }
  const { event, status, reason, code } = last;
  const article = code === "endpoint-refused" ? "Endpoint refused" : "Calls fail for long";
  const remedy = last.remedy ?? `infra/RUNBOOK.md, ${article}`;
  return verdict("failed", `${event}: ${reason ?? `status ${status}`}`, String(remedy));
}
