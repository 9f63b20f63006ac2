import { DEFAULTS } from "../../lambda/options";
import { parameterNames } from "../environment-name";
import type { Aws } from "./aws";
import { examine, type Finding, lineOf, verdict } from "./checks/finding";
import { DEFAULT_MINUTES, waitForWebhook } from "./checks/wait";
import { type Command, CommandError, type ExitCode, parse, positive, type Terminal } from "./command";
import type { Pipeline } from "./pipeline";
import { bootstrapCheck, bootstrapCommand, type Caller, DEFAULT_QUALIFIER, quotaCheck } from "./setup/account";
import { agreed, type Deployment, readDeployment, textOf } from "./setup/cdk-json";
import { connectOrAsk, deployedOf, examineCaller } from "./setup/connection";
import { Dialog } from "./setup/dialog";
import { printIntegration, stepsToDeploy } from "./setup/next-steps";
import { type Plan, planSecret, planWriteKey, writeAll } from "./setup/parameters";
import { regionOf, segmentAt, segmentOf } from "./setup/segment-region";

const OPTIONS = {
  region: { type: "string" },
  environment: { type: "string" },
  stack: { type: "string" },
  "kms-key-arn": { type: "string" },
  "segment-region": { type: "string" },
  qualifier: { type: "string" },
  yes: { type: "boolean" },
  minutes: { type: "string", default: String(DEFAULT_MINUTES) },
} as const;

type Values = ReturnType<typeof parse<typeof OPTIONS>>["values"];

export const setup: Command = {
  usage: "setup [--region <region>] [--environment production] [--yes]",
  help: `  --region <region>       default: cdk.json's, AWS_REGION, or the profile's
  --environment <name>    default: the one in cdk.json
  --stack <name>          where the construct is part of another stack
  --kms-key-arn <arn>     of the key of both parameters; default: cdk.json's, otherwise SSM's own key
  --segment-region <r>    us or eu; default: cdk.json's, otherwise that of the write key's source
  --qualifier <text>      of cdk bootstrap; default: cdk.json's, otherwise ${DEFAULT_QUALIFIER}
  --yes                   asks nothing, overwrites nothing and does not wait; reads the write key from standard input
  --minutes <n>           how long it waits for the first webhook after the deploy; default ${DEFAULT_MINUTES}
Run it before the deploy: it checks the account, creates both parameters, and prints the deploy command. Run it again after the
deploy: it prints what Flagsmith needs, and waits for the first webhook. It may be repeated at any time. The write key is never an argument.`,
  run: async (args, terminal) => {
    const { values } = parse(args, OPTIONS);
    const minutes = positive("minutes", values.minutes);
    const dialog = new Dialog(terminal, values.yes === true);
    const deployment = await readDeployment(terminal.input, values.environment);
    const region = agreed(deployment.entry, "region", "region", values.region);
    const aws = await connectOrAsk(dialog, terminal, region);
    const caller = await examineCaller(dialog, terminal, aws, deployment);
    const pipeline = await deployedOf(aws, values.stack, deployment.environment);
    const about = { dialog, terminal, values, deployment, aws, caller };
    return pipeline === undefined ? beforeDeploy(about) : afterDeploy(about, pipeline, minutes);
  },
};

interface About {
  readonly dialog: Dialog;
  readonly terminal: Terminal;
  readonly values: Values;
  readonly deployment: Deployment;
  readonly aws: Aws;
  /** undefined = STS can't be reached from here. */
  readonly caller: Caller | undefined;
}

/** Each of these options says where calls are sent to. They exclude each other. */
const SEGMENT_OPTIONS = ["segmentRegion", "segmentEndpoint"];

async function beforeDeploy(about: About): Promise<ExitCode> {
  const { dialog, terminal, values, deployment, aws, caller } = about;
  const { entry } = deployment;
  const qualifier = values.qualifier ?? deployment.qualifier ?? DEFAULT_QUALIFIER;
  const account = caller?.account;
  const bootstrap = bootstrapCheck(aws, qualifier, bootstrapCommand(account, aws.region, qualifier));
  const quota = quotaCheck(aws, {
    maxConcurrency: numberOf(entry?.maxConcurrency) ?? DEFAULTS.maxConcurrency,
    reservedConcurrency: numberOf(entry?.reservedConcurrency),
  });
  const findings: Finding[] = [];
  for (const check of [bootstrap, quota]) findings.push(...(await examine(check, terminal.environment)));
  for (const found of findings) dialog.print(lineOf(found));
  const kmsKeyArn = await kmsKeyOf(about);
  const segment = segmentOf(entry, values["segment-region"]);
  const names = parameterNames(deployment.environment);
  const secret = await planSecret(dialog, aws, names.webhookSecret);
  const writeKey = await planWriteKey(dialog, names.writeKey, { aws, endpoint: segment.endpoint });
  const segmentRegion = await regionOf(dialog, segment, writeKey.region);
  await write(about, [secret, writeKey.plan], kmsKeyArn);
  const chosen = {
    ...(kmsKeyArn !== undefined && textOf(entry, "kmsKeyArn") === undefined ? { kmsKeyArn } : {}),
    ...(segmentRegion === "eu" && SEGMENT_OPTIONS.every((name) => textOf(entry, name) === undefined) ? { segmentRegion } : {}),
  };
  const isBootstrapped = findings.every(({ check, level }) => check !== "bootstrap" || level !== "failed");
  const step = { account, region: aws.region, qualifier, stack: values.stack, isBootstrapped, deployment, chosen };
  dialog.print(stepsToDeploy(step, terminal.environment));
  return codeOf([secret, writeKey.plan]);
}

async function afterDeploy(about: About, pipeline: Pipeline, minutes: number): Promise<ExitCode> {
  const { dialog, aws } = about;
  const { webhookSecretParameter, kmsKeyArn } = pipeline.receive.config;
  const { segmentEndpoint: endpoint, writeKeyParameter } = pipeline.deliver.config;
  dialog.print(lineOf({ check: "pipeline", ...verdict("ok", `deployed as stack ${pipeline.stackName}`) }));
  const secret = await planSecret(dialog, aws, webhookSecretParameter);
  const writeKey = await planWriteKey(dialog, writeKeyParameter, { aws, endpoint });
  await regionOf(dialog, segmentAt(endpoint), writeKey.region);
  await write(about, [secret, writeKey.plan], kmsKeyArn);
  await printIntegration(dialog, aws, pipeline, about.terminal.environment);
  const code = codeOf([secret, writeKey.plan]);
  if (dialog.isUnattended) {
    dialog.print(`then wait for the first webhook: ${waitCommand(about)}`);
    return code;
  }
  const findings: Finding[] = [];
  for await (const found of waitForWebhook(aws, pipeline, { minutes, terminal: about.terminal })) {
    findings.push(found);
    dialog.print(lineOf(found));
  }
  return findings.some(({ level }) => level === "failed") ? 1 : code;
}

function waitCommand({ aws, terminal, deployment: { environment }, values: { stack } }: About): string {
  const isScript = terminal.environment.npm_lifecycle_event === "setup";
  const program = isScript ? "npm run doctor --" : "npx --no flagsmith-to-segment doctor";
  return `${program} --wait --region ${aws.region} --environment ${environment}${stack === undefined ? "" : ` --stack ${stack}`}`;
}

/** 1 if a parameter without a usable value was kept. */
function codeOf(plans: readonly Plan[]): ExitCode {
  return plans.every((plan) => plan.kind === "write" || plan.isUsable) ? 0 : 1;
}

/** The last question before anything changes. */
async function write({ dialog, aws, caller }: About, plans: readonly Plan[], keyId: string | undefined) {
  const names = plans.flatMap(({ kind, name }) => (kind === "write" ? [name] : []));
  if (names.length === 0) return;
  const place = `${aws.region}${caller === undefined ? "" : `, account ${caller.account}`}`;
  const text = `${names.join(" and ")} in ${place}`;
  const isWanted = await dialog.confirm(`Write ${text}?`, { answer: true, says: `writes ${text}` });
  if (!isWanted) throw new CommandError("nothing was written");
  await writeAll(dialog, aws, plans, keyId);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** Asks for a key only if `cdk.json` has no entry. An entry without a key means SSM's own key. */
async function kmsKeyOf({ dialog, values, deployment: { entry } }: About): Promise<string | undefined> {
  const given = agreed(entry, "kmsKeyArn", "kms-key-arn", values["kms-key-arn"]);
  if (given !== undefined || entry !== undefined || dialog.isUnattended) return given;
  const typed = await dialog.ask("ARN of your own KMS key for the parameters (Enter: SSM's key):");
  if (typed !== "" && !/^arn:[\w-]+:kms:/.test(typed)) throw new CommandError(`not the ARN of a KMS key: ${typed}`);
  return typed === "" ? undefined : typed;
}
