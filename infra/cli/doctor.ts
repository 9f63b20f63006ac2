import { createParameterCommand, PLACEHOLDERS } from "../../lambda/names";
import { AWS_OPTIONS, type Aws, connect } from "./aws";
import { alarmChecks } from "./checks/alarms";
import { follow, post } from "./checks/call";
import { type Check, examine, type Finding, lineOf, verdict } from "./checks/finding";
import { concurrencyCheck, eventSourceCheck } from "./checks/functions";
import { accessLogCheck, loggingChecks } from "./checks/logging";
import { judgeParameter, type ParameterCommands, type ParameterValue, readParameter } from "./checks/parameters";
import { queueChecks } from "./checks/queues";
import { templateReceiversCheck } from "./checks/receivers";
import { trafficCheck } from "./checks/traffic";
import { DEFAULT_MINUTES, waitForWebhook } from "./checks/wait";
import { writeKeyChecks } from "./checks/write-key";
import { type Command, parse, positive, type Terminal, UsageError } from "./command";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline, webhookUrlOf } from "./pipeline";
import { firstLine } from "./send";

const OPTIONS = {
  ...AWS_OPTIONS,
  ...PIPELINE_OPTIONS,
  call: { type: "boolean" },
  wait: { type: "boolean" },
  minutes: { type: "string" },
  url: { type: "string" },
  json: { type: "boolean" },
} as const;

/** Every check in the order of the pipeline. */
export const doctor: Command = {
  usage: "doctor [--call] [--wait [--minutes 15]] [--url <webhook>] [--json]",
  help: `  --call             also sends one evaluation of the identity "doctor", which becomes a user in Segment, and follows it
  --wait             also waits for the first real webhook, explains those that are refused, and follows it to Segment
  --minutes <n>      how long it waits; default ${DEFAULT_MINUTES}
  --url <webhook>    the webhook's URL, where it has a custom domain
  --json             an array of { check, level, detail, fix? }; level is ok, info, skip, warning or failed
Without --call nothing is sent or changed, and --wait makes no user. skip: not looked at, for the reason that is given. -> what fixes it.
With --wait, a check fails where no webhook was accepted.
Exit code 1 where a check failed; not for warn and skip.`,
  run: async (args, terminal) => {
    const { values } = parse(args, OPTIONS);
    const { url, json = false, call = false, wait = false } = values;
    if (values.minutes !== undefined && !wait) throw new UsageError("--minutes goes with --wait");
    const minutes = positive("minutes", values.minutes ?? String(DEFAULT_MINUTES));
    if (url !== undefined && (!/^https?:/.test(url) || !URL.canParse(url))) {
      throw new UsageError(`--url: allowed is a URL with http or https; got ${url}`);
    }
    const aws = await connect(values, terminal);
    terminal.progress(`looking for the pipeline in ${aws.region}`);
    const pipeline = await findPipeline(aws, values);
    const findings: Finding[] = [];
    const note = (found: Finding) => {
      findings.push(found);
      if (!json) terminal.print(lineOf(found));
    };
    for await (const found of diagnose(aws, pipeline, { terminal, url, call })) note(found);
    if (wait) for await (const found of waitForWebhook(aws, pipeline, { minutes, terminal })) note(found);
    if (json) terminal.print(JSON.stringify(findings, undefined, 2));
    return findings.some(({ level }) => level === "failed") ? 1 : 0;
  },
};

interface Diagnosis {
  readonly terminal: Terminal;
  readonly url: string | undefined;
  readonly call: boolean;
}

async function* diagnose(aws: Aws, pipeline: Pipeline, { terminal, url, call }: Diagnosis): AsyncGenerator<Finding> {
  const look = (check: Check) => examine(check, terminal.environment);
  yield* namesOf(aws, pipeline);
  const parameters = parametersOf(aws, pipeline);
  for (const check of parameters.checks) yield* await look(check);
  const { writeKey } = parameters;
  if (writeKey.value !== undefined) {
    const { segmentEndpoint: endpoint } = pipeline.deliver.config;
    const { value: parameter, commands } = writeKey;
    const about = { aws, endpoint, parameter, writeKey: firstLine(parameter.value), commands };
    if (about.writeKey !== "") for (const check of writeKeyChecks(about)) yield* await look(check);
  }
  for (const check of checksOf(aws, pipeline)) yield* await look(check);
  let webhookUrl: string | undefined;
  yield* await look({
    name: "webhook",
    needs: "lambda:GetPolicy",
    look: async () => {
      webhookUrl = url ?? (await webhookUrlOf(aws, pipeline));
      return verdict("info", webhookUrl);
    },
  });
  yield* await look(trafficCheck(aws, pipeline, terminal.progress));
  if (call) yield* followCall(aws, pipeline, terminal, webhookUrl, parameters.secret.value);
}

/** The names that the runbook's commands need. */
function namesOf({ region, webhookUrl }: Aws, { stackName, environment, receive, deliver }: Pipeline): readonly Finding[] {
  const { queueUrl, queueArn, deadLetterQueueUrl, changes } = deliver.config;
  const info = (check: string, detail: string): Finding => ({ check, ...verdict("info", detail) });
  const logs = [info("log group of receive", receive.logGroup), info("log group of deliver", deliver.logGroup)];
  return [
    { check: "pipeline", ...verdict("ok", `stack ${stackName}, environment ${environment}, ${region}`) },
    ...(webhookUrl === undefined ? logs : []),
    info("queue URL", queueUrl),
    info("queue ARN", queueArn),
    info("dead-letter queue URL", deadLetterQueueUrl),
    info("dead-letter queue ARN", queueArn.replace(/[^:]+$/, deadLetterQueueUrl.split("/").at(-1) ?? "")),
    info("table", changes?.table ?? "none, without forward: changes"),
  ];
}

/** A parameter and its value. undefined = it was not read. */
interface Known {
  readonly commands: ParameterCommands;
  value: ParameterValue | undefined;
}

function parametersOf({ ssm, region }: Aws, { receive, deliver }: Pipeline) {
  const where = { region, keyId: receive.config.kmsKeyArn };
  const known = (name: string, placeholder: string): Known => {
    const create = createParameterCommand(name, `'${placeholder}'`, where);
    return { commands: { create, overwrite: `${create} --overwrite` }, value: undefined };
  };
  const { webhookSecretParameter } = receive.config;
  const { writeKeyParameter } = deliver.config;
  const secret = known(webhookSecretParameter, PLACEHOLDERS.webhookSecret);
  const writeKey = known(writeKeyParameter, PLACEHOLDERS.writeKey);
  const check = (name: string, one: Known): Check => ({
    name,
    needs: "ssm:GetParameter on it, and kms:Decrypt with kmsKeyArn",
    look: async () => {
      one.value = await readParameter(ssm, name);
      return judgeParameter(one.value, one.commands, one === secret);
    },
  });
  return { secret, writeKey, checks: [check(webhookSecretParameter, secret), check(writeKeyParameter, writeKey)] };
}

function checksOf(aws: Aws, pipeline: Pipeline): readonly Check[] {
  const queues = queueChecks(aws, pipeline);
  if (aws.webhookUrl !== undefined) return [eventSourceCheck(aws, pipeline), templateReceiversCheck(aws, pipeline), ...queues];
  return [
    eventSourceCheck(aws, pipeline),
    concurrencyCheck(aws, pipeline),
    ...loggingChecks(aws, pipeline),
    accessLogCheck(aws, pipeline),
    ...alarmChecks(aws, pipeline),
    ...queues,
  ];
}

async function* followCall(
  aws: Aws,
  pipeline: Pipeline,
  terminal: Terminal,
  url: string | undefined,
  parameter: ParameterValue | undefined,
): AsyncGenerator<Finding> {
  const name = "call";
  const secret = firstLine(parameter?.value ?? "");
  if (secret === "") return yield { check: name, ...verdict("skip", "not sent: the webhook secret was not read") };
  if (url === undefined)
    return yield { check: name, ...verdict("skip", "not sent: the webhook's URL is not known; give --url") };
  let messageId: string | undefined;
  yield* await examine(
    {
      name,
      needs: "nothing",
      look: async () => {
        const posted = await post(url, secret);
        messageId = posted.messageId;
        return posted.verdict;
      },
    },
    terminal.environment,
  );
  const id = messageId;
  if (id === undefined) return;
  const needs = "logs:FilterLogEvents on both functions' log groups";
  const look = () => follow(aws, pipeline, id, terminal.progress);
  yield* await examine({ name: `call ${id}`, needs, look }, terminal.environment);
}
