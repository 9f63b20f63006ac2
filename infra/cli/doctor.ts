import { createParameterCommand, PLACEHOLDERS } from "../../lambda/names";
import { AWS_OPTIONS, type Aws, connect } from "./aws";
import { alarmChecks } from "./checks/alarms";
import { follow, post } from "./checks/call";
import { examine, type Finding, type Level, type Verdict, verdict } from "./checks/finding";
import { functionChecks } from "./checks/functions";
import { checkWriteKey, judgeParameter, readParameter } from "./checks/parameters";
import { queueChecks } from "./checks/queues";
import { type Command, parse, type Terminal } from "./command";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline, webhookUrlOf } from "./pipeline";
import { firstLine } from "./send";

const MARKS = { ok: "ok  ", warning: "warn", failed: "FAIL" };

/** Every check in the order of the pipeline; at last a call is followed from the webhook to Segment. */
export const doctor: Command = {
  usage: "doctor [--json]",
  help: `Sends one evaluation of the identity "doctor", which becomes a person in Segment.`,
  run: async (args, terminal) => {
    const { values } = parse(args, { ...AWS_OPTIONS, ...PIPELINE_OPTIONS, json: { type: "boolean" } });
    const aws = await connect(values, terminal);
    terminal.progress(`looking for the pipeline in ${aws.region}`);
    const pipeline = await findPipeline(aws, values);
    const findings: Finding[] = [];
    for await (const found of diagnose(aws, pipeline, terminal)) {
      const { check, level, detail, fix } = found;
      findings.push(found);
      if (values.json !== true) terminal.print(`${MARKS[level]}  ${check}: ${detail}${fix === undefined ? "" : ` -> ${fix}`}`);
    }
    if (values.json === true) terminal.print(JSON.stringify(findings, undefined, 2));
    return findings.some(({ level }) => level === "failed") ? 1 : 0;
  },
};

async function* diagnose(aws: Aws, pipeline: Pipeline, terminal: Terminal): AsyncGenerator<Finding> {
  const { stackName, environment, receive, deliver } = pipeline;
  yield { check: "pipeline", ...verdict("ok", `stack ${stackName}, environment ${environment}, ${aws.region}`) };
  const names = { secret: receive.config.webhookSecretParameter, writeKey: deliver.config.writeKeyParameter };
  const where = { region: aws.region, keyId: receive.config.kmsKeyArn };
  const setSecret = `${createParameterCommand(names.secret, `'${PLACEHOLDERS.webhookSecret}'`, where)} --overwrite`;
  const setKey = `${createParameterCommand(names.writeKey, `'${PLACEHOLDERS.writeKey}'`, where)} --overwrite`;
  const look = (name: string, needs: string, act: () => Promise<Verdict>, blind: Level = "failed") =>
    examine({ name, needs, look: act }, terminal.environment, blind);
  const needs = "your credentials need ssm:GetParameter on it, and kms:Decrypt with kmsKeyArn";
  let secret = "";
  let writeKey = "";
  yield await look(names.secret, needs, async () => {
    const found = await readParameter(aws.ssm, names.secret);
    secret = firstLine(found?.value ?? "");
    return judgeParameter(found, setSecret, true);
  });
  yield await look(names.writeKey, needs, async () => {
    const found = await readParameter(aws.ssm, names.writeKey);
    writeKey = firstLine(found?.value ?? "");
    return judgeParameter(found, setKey, false);
  });
  const network = "nothing is wrong with the pipeline by that: look from where cdn.segment.com can be reached";
  if (writeKey !== "") {
    yield await look("write key at Segment", network, () => checkWriteKey(aws.settingsUrl, writeKey, setKey), "warning");
  }
  const checks = [...functionChecks(aws, pipeline), ...alarmChecks(aws, pipeline), ...queueChecks(aws, pipeline)];
  for (const check of checks) yield await examine(check, terminal.environment, "warning");
  if (secret === "") {
    const untried = verdict("failed", "was not tried: there is no secret to sign with", setSecret);
    return yield { check: "webhook", ...untried };
  }

  let messageId: string | undefined;
  yield await look("webhook", "your credentials need lambda:GetPolicy; check the network from here", async () => {
    const posted = await post(await webhookUrlOf(aws, pipeline), secret);
    messageId = posted.messageId;
    return posted.verdict;
  });
  const id = messageId;
  if (id === undefined) return;
  const logs = "your credentials need logs:FilterLogEvents on both functions' log groups";
  yield await look(`call ${id}`, logs, () => follow(aws, pipeline, id, terminal.progress));
}
