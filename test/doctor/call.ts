import { tryParseJson } from "../../lambda/json";
import { sign } from "../../lambda/receive/signature";
import type { LogLine } from "../support/capture";
import { examine, type Finding, finding, type Patient } from "./patient";

/** Looks at the log; CloudWatch shows lines after some seconds. */
const LOOKS = 30;
const IDENTITY = "doctor";

/** Sends a signed evaluation of the identity `doctor`, new each time. */
export async function post(
  patient: Patient,
  url: string,
  secret: string,
): Promise<{ readonly finding: Finding; readonly messageId?: string }> {
  const flag = { enabled: true, feature: { name: "flagsmith_to_segment_doctor" } };
  const flags = [{ ...flag, feature_state_value: new Date().toISOString() }];
  const body = Buffer.from(JSON.stringify({ flags, identity: IDENTITY }));
  const check = "webhook";
  const looked = await examine(check, "check WebhookUrl and the network from here", async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-flagsmith-signature": sign(body, secret) },
      body: new Uint8Array(body),
      redirect: "manual",
      signal: AbortSignal.timeout(patient.patience),
    });
    return { status: response.status, answer: Object(tryParseJson(await response.text())) };
  });
  if ("blind" in looked) return { finding: looked.blind };
  const { status, answer } = looked.sight;
  const fix = "the receive function's log says why, see the README's answers table";
  const messageId: unknown = answer.messageId;
  if (status === 202 && typeof messageId !== "string") {
    const strange = "answers 202, but without a messageId: something else answers at this URL";
    return { finding: finding(check, false, strange, "check WebhookUrl") };
  }
  return {
    finding: finding(check, status === 202, `answers ${status}`, fix),
    ...(typeof messageId === "string" ? { messageId } : {}),
  };
}

const DONE: Readonly<Record<string, string>> = {
  delivered: "delivered to Segment",
  unchanged: "unchanged, so not sent again",
  "dry-run": "logged: option dryRun is on, nothing is sent",
};

/** Waits until the log tells what became of a call. */
export async function follow(patient: Patient, messageId: string): Promise<Finding> {
  const check = `call ${messageId}`;
  const needs =
    "your credentials need cloudformation:DescribeStackResources, and logs:FilterLogEvents on both functions' log groups";
  let last: LogLine | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const looked = await examine(check, needs, () => patient.lines(messageId));
    if ("blind" in looked) return looked.blind;
    const done = looked.sight.find(({ event }) => DONE[String(event)] !== undefined);
    if (done !== undefined) return { check, ok: true, detail: DONE[String(done.event)] ?? "" };
    last = looked.sight.findLast(({ event }) => event === "retrying" || event === "dead-lettered") ?? last;
    if (last?.event === "dead-lettered" || last?.actor === "operator") break;
    await patient.pause();
  }
  if (last === undefined) {
    const fix = "is the event source mapping enabled? See the README, Nothing delivered";
    return finding(check, false, "no line of deliver about it yet", fix);
  }
  const remedy = String(last.remedy ?? "see the README's delivery table");
  return finding(check, false, `${last.event}: ${last.reason}`, remedy);
}
