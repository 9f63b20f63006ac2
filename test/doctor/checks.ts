import {
  parameterNames,
  putParameterCommand,
  SECRET_PLACEHOLDER,
  WRITE_KEY_PLACEHOLDER,
} from "../../lambda/contract";
import { readSecrets, sign } from "../../lambda/domain/signature";
import type { LogLine } from "../support/metric-filter";

/** What the doctor can look at, on AWS or on a local cloud. */
export interface Patient {
  readonly stackName: string;
  /** Outputs of the stack; undefined = there is no such stack. */
  outputs(): Promise<Readonly<Record<string, string>> | undefined>;
  /** undefined = there is no such parameter. */
  parameter(name: string): Promise<{ readonly type: string; readonly value: string } | undefined>;
  /** Lines of both functions about a call. */
  lines(messageId: string): Promise<readonly LogLine[]>;
  /** Base URL of Segment's settings, which tell whether a write key exists. */
  readonly settingsUrl: string;
  /** Waits before it looks at the log again. */
  pause(): Promise<void>;
}

export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What mends it. */
  readonly mend?: string;
}

const STACK_PREFIX = "FlagsmithToSegment-";
const OUTPUTS = ["WebhookUrl", "QueueUrl", "DeadLetterQueueUrl"];
/** Looks at the log; CloudWatch shows lines after some seconds. */
const LOOKS = 30;
const IDENTITY = "doctor";

/** Every check in the order of the road, up to the first that makes the next ones pointless. */
export async function* diagnose(patient: Patient): AsyncGenerator<Finding> {
  const { stackName } = patient;
  const outputs = await patient.outputs();
  const missing = OUTPUTS.filter((name) => outputs?.[name] === undefined);
  yield finding(
    "stack",
    missing.length === 0,
    outputs === undefined
      ? `no stack ${stackName}`
      : `outputs ${missing.length === 0 ? "complete" : `lack ${missing.join(", ")}`}`,
    `npx cdk deploy ${stackName}`,
  );
  if (outputs === undefined || missing.length > 0) return;

  const names = parameterNames(stackName.replace(STACK_PREFIX, ""));
  const secret = await checkParameter(patient, names.webhookSecret, SECRET_PLACEHOLDER, true);
  yield secret.finding;
  const writeKey = await checkParameter(patient, names.writeKey, WRITE_KEY_PLACEHOLDER, false);
  yield writeKey.finding;
  if (writeKey.value !== undefined) yield await checkWriteKey(patient, names.writeKey, writeKey.value);
  if (secret.value === undefined) return;

  const posted = await post(outputs.WebhookUrl ?? "", secret.value);
  yield posted.finding;
  if (posted.messageId !== undefined) yield await follow(patient, posted.messageId);
}

function finding(check: string, ok: boolean, detail: string, mend: string): Finding {
  return ok ? { check, ok, detail } : { check, ok, detail, mend };
}

/** Says what is wrong with a value without showing it. */
async function checkParameter(
  patient: Patient,
  name: string,
  placeholder: string,
  severalLines: boolean,
): Promise<{ readonly finding: Finding; readonly value?: string }> {
  const parameter = await patient.parameter(name);
  const fault =
    parameter === undefined ? "does not exist" : faultOf(parameter.type, parameter.value, severalLines);
  const mend = putParameterCommand(name, placeholder);
  const value = readSecrets(parameter?.value ?? "")[0];
  return {
    finding: finding(name, fault === undefined, fault ?? "is there, a SecureString", mend),
    ...(value === undefined ? {} : { value }),
  };
}

function faultOf(type: string, value: string, severalLines: boolean): string | undefined {
  if (type !== "SecureString")
    return `is a ${type}: everybody who may read the parameter reads it in the clear`;
  const lines = value.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
  if (lines.every((line) => line.trim() === "")) return "is empty";
  if (lines.some((line) => line !== line.trim() || line === ""))
    return "has blanks or blank lines around the value";
  if (lines.some((line) => /^(["'`]).*\1$/.test(line))) return "has quotes around the value";
  if (lines.some((line) => line.startsWith("<"))) return "holds the placeholder";
  if (!severalLines && lines.length > 1) return "has more than one line; only the first is used";
  return undefined;
}

/** The tracking API answers 200 to any key; only this tells. */
async function checkWriteKey(patient: Patient, name: string, writeKey: string): Promise<Finding> {
  const check = "write key at Segment";
  const mend = `take the key of the source from Segment, then: ${putParameterCommand(name, WRITE_KEY_PLACEHOLDER)}`;
  try {
    const { status } = await fetch(
      `${patient.settingsUrl}/v1/projects/${encodeURIComponent(writeKey)}/settings`,
    );
    return finding(
      check,
      status === 200,
      status === 200 ? "belongs to a source" : `no source has it (status ${status})`,
      mend,
    );
  } catch (error) {
    return finding(
      check,
      false,
      `Segment's settings are out of reach: ${reasonOf(error)}`,
      "check the network from here",
    );
  }
}

async function post(
  url: string,
  secret: string,
): Promise<{ readonly finding: Finding; readonly messageId?: string }> {
  const body = Buffer.from(
    JSON.stringify({
      flags: [
        {
          enabled: true,
          feature: { name: "flagsmith_to_segment_doctor" },
          feature_state_value: new Date().toISOString(),
        },
      ],
      identity: IDENTITY,
    }),
  );
  const headers = { "content-type": "application/json", "x-flagsmith-signature": sign(body, secret) };
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: new Uint8Array(body),
      redirect: "manual",
    });
    const answer: { readonly messageId?: string } = JSON.parse((await response.text()) || "{}");
    const mend = "the receive function's log says why, see the README's answers table";
    return {
      finding: finding("webhook", response.status === 202, `answers ${response.status}`, mend),
      ...(answer.messageId === undefined ? {} : { messageId: answer.messageId }),
    };
  } catch (error) {
    return {
      finding: finding(
        "webhook",
        false,
        `out of reach: ${reasonOf(error)}`,
        "check WebhookUrl and the network from here",
      ),
    };
  }
}

const DONE: Readonly<Record<string, string>> = {
  delivered: "delivered to Segment",
  unchanged: "unchanged, so not sent again",
  "dry-run": "logged: option dryRun is on, nothing is sent",
};

async function follow(patient: Patient, messageId: string): Promise<Finding> {
  const check = `call ${messageId}`;
  let last: LogLine | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const lines = await patient.lines(messageId);
    const done = lines.find(({ event }) => DONE[String(event)] !== undefined);
    if (done !== undefined) return { check, ok: true, detail: DONE[String(done.event)] ?? "" };
    last = lines.findLast(({ event }) => event === "retrying" || event === "dead-lettered") ?? last;
    if (last?.event === "dead-lettered" || last?.actor === "operator") break;
    await patient.pause();
  }
  if (last === undefined) {
    return finding(
      check,
      false,
      "no line of deliver about it yet",
      "is the event source mapping enabled? See the README, Nothing delivered",
    );
  }
  return finding(
    check,
    false,
    `${last.event}: ${last.reason}`,
    String(last.remedy ?? "see the README's delivery table"),
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return error.cause instanceof Error ? error.cause.message : error.message;
}
