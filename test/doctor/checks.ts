import { parameterNames } from "../../lambda/names";
import { follow, post } from "./call";
import { checkParameter, checkWriteKey } from "./parameters";
import { examine, type Finding, finding, type Patient } from "./patient";

const STACK_PREFIX = "FlagsmithToSegment-";
const OUTPUTS = ["WebhookUrl", "QueueUrl", "DeadLetterQueueUrl", "CreateWebhookSecret", "CreateWriteKey"];

/** Every check in the order of the pipeline, up to the first that makes the next ones pointless. Never throws. */
export async function* diagnose(patient: Patient): AsyncGenerator<Finding> {
  const { stackName } = patient;
  const needs = "set AWS_REGION or AWS_PROFILE to the stack's, with credentials that have cloudformation:DescribeStacks";
  const looked = await examine("stack", needs, () => patient.outputs());
  if ("blind" in looked) return yield looked.blind;
  const { sight: outputs } = looked;
  const stack = checkOutputs(stackName, outputs);
  yield stack;
  if (outputs === undefined || !stack.ok) return;

  const names = parameterNames(stackName.replace(STACK_PREFIX, ""));
  const { WebhookUrl = "", CreateWebhookSecret = "", CreateWriteKey = "" } = outputs;
  const secret = await checkParameter(patient, names.webhookSecret, CreateWebhookSecret, true);
  yield secret.finding;
  const writeKey = await checkParameter(patient, names.writeKey, CreateWriteKey, false);
  yield writeKey.finding;
  if (writeKey.value !== undefined) yield await checkWriteKey(patient, writeKey.value, CreateWriteKey);
  if (secret.value === undefined) return;

  const posted = await post(patient, WebhookUrl, secret.value);
  yield posted.finding;
  if (posted.messageId !== undefined) yield await follow(patient, posted.messageId);
}

function checkOutputs(stackName: string, outputs: Readonly<Record<string, string>> | undefined): Finding {
  const missing = OUTPUTS.filter((name) => outputs?.[name] === undefined);
  const found = missing.length === 0 ? "complete" : `lack ${missing.join(", ")}`;
  const detail = outputs === undefined ? `no stack ${stackName} in this account and region` : `outputs ${found}`;
  return finding("stack", missing.length === 0, detail, `npx cdk deploy ${stackName}`);
}
