import type { Aws } from "../aws";
import { readParameter } from "../checks/parameters";
import type { Terminal } from "../command";
import { type Pipeline, webhookUrlOf } from "../pipeline";
import { firstLine } from "../send";
import { bootstrapCommand, DEFAULT_QUALIFIER } from "./account";
import type { Deployment } from "./cdk-json";
import type { Dialog } from "./dialog";

export interface DeployStep {
  readonly account: string | undefined;
  readonly region: string;
  readonly qualifier: string;
  readonly stack: string | undefined;
  readonly isBootstrapped: boolean;
  readonly deployment: Deployment;
  /** Values that the operator chose and that the entry in `cdk.json` does not have. */
  readonly chosen: Readonly<Record<string, string>>;
}

/** Quotes a text for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that the operator called. The operator runs it again after the deploy. */
function again({ region, qualifier, stack, deployment }: DeployStep, environment: Terminal["environment"]): string {
  const program = environment.npm_lifecycle_event === "setup" ? "npm run setup --" : "npx --no flagsmith-to-segment setup";
  const named = qualifier === DEFAULT_QUALIFIER ? "" : ` --qualifier ${qualifier}`;
  const of = stack === undefined ? "" : ` --stack ${stack}`;
  return `${program} --region ${region} --environment ${deployment.environment}${of}${named}`;
}

function deployCommand({ region, qualifier, stack, deployment, chosen }: DeployStep): string {
  const { environment, environments, entry, isClone } = deployment;
  const context: string[] = [];
  if (qualifier !== (deployment.qualifier ?? DEFAULT_QUALIFIER)) {
    context.push(`-c @aws-cdk/core:bootstrapQualifier=${qualifier}`);
  }
  if (isClone && (entry === undefined || Object.keys(chosen).length > 0)) {
    const merged = { ...environments, [environment]: { ...entry, ...chosen } };
    context.push(`-c environments=${quoted(JSON.stringify(merged))}`);
  }
  const name = stack ?? (isClone ? `FlagsmithToSegment-${environment}` : "<your stack>");
  return [`AWS_REGION=${region} npx cdk deploy ${name}`, ...context].join(" ");
}

/** The remaining steps before the pipeline runs, in order. */
export function stepsToDeploy(step: DeployStep, environment: Terminal["environment"]): string {
  const { account, region, qualifier, deployment, chosen, isBootstrapped } = step;
  const { entry, isClone } = deployment;
  const lasting = Object.entries(chosen).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  const place = isClone ? `cdk.json, context.environments.${deployment.environment}` : "the props of FlagsmithToSegment";
  const isMissing = lasting.length > 0 || (isClone && entry === undefined);
  const steps = [
    ...(isBootstrapped ? [] : [bootstrapCommand(account, region, qualifier)]),
    ...(isMissing ? [`write into ${place}: { ${lasting.join(", ")} }, because each later deploy needs it as well`] : []),
    deployCommand(step),
    again(step, environment),
  ];
  return ["next:", ...steps.map((text, index) => `  ${index + 1}. ${text}`)].join("\n");
}

const MENU = "the project's Integrations page (not the environment's settings), Webhook, Add Integration";

/** Prints the values to enter in Flagsmith. The secret is shown only to an operator who asks for it. */
export async function printIntegration(dialog: Dialog, aws: Aws, pipeline: Pipeline): Promise<void> {
  const { webhookSecretParameter: name } = pipeline.receive.config;
  const url = await webhookUrlOf(aws, pipeline);
  const command = `aws ssm get-parameter --region ${aws.region} --name ${name} --with-decryption --query Parameter.Value --output text`;
  const says = "the secret is not shown";
  const isShown = await dialog.confirm("Show the webhook secret on this screen?", { answer: false, says });
  const secret = isShown ? firstLine((await readParameter(aws.ssm, name))?.value ?? "") : "";
  dialog.print(
    [
      "",
      `In Flagsmith: ${MENU}`,
      `  Flagsmith Environment:      ${pipeline.environment}, or what it is called there`,
      `  Your Webhook URL Endpoint:  ${url}`,
      `  Your Webhook Secret:        ${secret === "" ? `what this prints: ${command}` : secret}`,
      "It works after a minute at most.",
      "",
    ].join("\n"),
  );
}
