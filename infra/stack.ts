import { type App, CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { ConfigurationError } from "../lambda/errors";
import { isJsonObject, tryParseJson } from "../lambda/json";
import type { Options } from "../lambda/options";
import { environmentNameFaults } from "./environment-name";
import { FlagsmithToSegment } from "./flagsmith-to-segment";
import { Monitoring } from "./monitoring/monitoring";
import { optionErrors } from "./option-checks";
import { OPTION_NAMES, REMOVED_OPTIONS } from "./option-rules";

export interface FlagsmithToSegmentStackProps extends StackProps {
  /** Name of the Flagsmith environment, as in the paths of its parameters. */
  readonly environmentName: string;
  readonly options: Options;
}

/** The stack of one Flagsmith environment. */
export class FlagsmithToSegmentStack extends Stack {
  readonly pipeline: FlagsmithToSegment;

  constructor(scope: App, id: string, { environmentName, options, ...props }: FlagsmithToSegmentStackProps) {
    super(scope, id, { description: "Flagsmith's flag evaluations as traits in Segment", ...props });
    const { alarmEmail, alarmTopicArn, runbookUrl, expectTraffic, ...others } = options;
    const pipeline = new FlagsmithToSegment(this, "FlagsmithToSegment", { environmentName, ...others });
    const alarms = { alarmEmail, alarmTopicArn, runbookUrl, expectTraffic };
    const { dashboardUrl } = new Monitoring(this, "Monitoring", { pipeline, ...alarms });
    this.pipeline = pipeline;
    // CloudFormation sorts the outputs by name, so WebhookUrl is the last one and the easiest to see.
    this.output("CreateWebhookSecret", "Creates a random webhook secret", pipeline.createWebhookSecret);
    this.output("CreateWriteKey", "Creates the parameter of Segment's write key", pipeline.createWriteKey);
    this.output("DashboardUrl", "Shows what is going on", dashboardUrl);
    const next = `npm run setup -- --region ${this.region} --environment ${environmentName}`;
    this.output("NextStep", "Prints what Flagsmith needs, and waits for the first webhook", next);
    this.output("RedriveDeadLetters", "Sends dead letters again, see RUNBOOK.md", redrive(pipeline));
    this.output("WebhookUrl", "Paste it into Flagsmith's webhook integration", pipeline.webhookUrl);
  }

  private output(id: string, description: string, value: string): void {
    new CfnOutput(this, id, { description, value });
  }
}

/** The command names the destination, because SQS does not know the source queue of a message that deliver dead-lettered. */
function redrive({ queue, deadLetterQueue }: FlagsmithToSegment): string {
  const { region } = Stack.of(queue);
  return `aws sqs start-message-move-task --region ${region} --source-arn ${deadLetterQueue.queueArn} --destination-arn ${queue.queueArn}`;
}

/**
 * Adds one stack for each entry of context `environments`, which is in `cdk.json` or is given as JSON text with `-c environments=`.
 * Without that context, there is one environment named `production`.
 *
 * @throws ConfigurationError with all errors of all environments.
 */
export function addStacks(app: App): readonly FlagsmithToSegmentStack[] {
  const context: unknown = app.node.tryGetContext("environments") ?? { production: {} };
  const environments = typeof context === "string" ? tryParseJson(context) : context;
  if (!isJsonObject(environments)) {
    const got = typeof context === "string" && environments === undefined ? "; got a text that is not JSON" : "";
    throw new ConfigurationError([
      `environments: allowed is an object, { "production": { …options } }, or its JSON text${got}`,
    ]);
  }
  const entries = Object.entries(environments).map(([name, given]) => [name, readEnvironment(name, given)] as const);
  const errors = [...misplacedOptions(app), ...entries.flatMap(([, environment]) => environment.errors)];
  if (entries.length === 0) errors.push("environments: at least one is needed");
  if (errors.length > 0) throw new ConfigurationError(errors);
  return entries.map(([environmentName, { options, env }]) => {
    return new FlagsmithToSegmentStack(app, `FlagsmithToSegment-${environmentName}`, { environmentName, options, env });
  });
}

/** The fields that an entry may have in addition to the options. */
const PLACES = { account: /^\d{12}$/, region: /^[a-z]{2,}(-[a-z]+)+-\d+$/ };

/** An option outside `environments`, such as `-c segmentRegion=eu`, would be ignored, so the stack would not have it. */
function misplacedOptions(app: App): readonly string[] {
  return [...OPTION_NAMES, ...Object.keys(REMOVED_OPTIONS), ...Object.keys(PLACES)]
    .filter((name) => app.node.tryGetContext(name) !== undefined)
    .map((name) => `${name}: it belongs into an entry of context environments, such as { "production": { "${name}": … } }`);
}

interface Environment {
  readonly errors: readonly string[];
  readonly options: Options;
  /** The stack's account and region. If one is not given, `cdk deploy` uses that of the credentials. */
  readonly env: NonNullable<StackProps["env"]>;
}

function readEnvironment(name: string, given: unknown): Environment {
  const where = `environments.${name}`;
  const { account, region, ...options } = isJsonObject(given) ? given : {};
  const place = isPlace("region", region) ? region : undefined;
  const errors = [
    ...environmentNameFaults(name, where),
    ...optionErrors(isJsonObject(given) ? options : given, { where, region: place }),
  ];
  if (!isPlace("account", account)) errors.push(`${where}.account: allowed is a string of 12 digits`);
  if (!isPlace("region", region)) errors.push(`${where}.region: allowed is a region, such as "eu-west-1"`);
  const env = { ...(account ? { account: String(account) } : {}), ...(region ? { region: String(region) } : {}) };
  return { errors, options, env };
}

function isPlace(name: keyof typeof PLACES, value: unknown): value is string | undefined {
  return value === undefined || (typeof value === "string" && PLACES[name].test(value));
}
