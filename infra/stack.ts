import { type App, CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { ConfigurationError } from "../lambda/errors";
import { assertOptions, type Options } from "../lambda/options";
import { environmentNameFaults } from "./environment-name";
import { FlagsmithToSegment } from "./flagsmith-to-segment";
import { Monitoring } from "./monitoring/monitoring";

export interface FlagsmithToSegmentStackProps extends StackProps {
  /** Name of the Flagsmith environment, as in the paths of its parameters. */
  readonly environmentName: string;
  readonly options: Options;
}

/** The stack of one Flagsmith environment. */
export class FlagsmithToSegmentStack extends Stack {
  constructor(scope: App, id: string, props: FlagsmithToSegmentStackProps) {
    super(scope, id, { description: "Flagsmith's flag evaluations as traits in Segment", ...props });
    const { environmentName } = props;
    const { alarmEmail, alarmTopicArn, ...options } = props.options;
    const pipeline = new FlagsmithToSegment(this, "FlagsmithToSegment", { environmentName, ...options });
    new Monitoring(this, "Monitoring", { pipeline, alarmEmail, alarmTopicArn });
    this.output("WebhookUrl", "Paste into Flagsmith's webhook integration", pipeline.webhookUrl);
    this.output("QueueUrl", "Identify calls that wait for Segment", pipeline.queue.queueUrl);
    this.output("DeadLetterQueueUrl", "Messages that failed for good, with their reason", pipeline.deadLetterQueue.queueUrl);
    this.output("RedriveDeadLetters", "Sends dead-letter messages again, see the README", redrive(pipeline));
    this.output("CreateWebhookSecret", "Creates a random webhook secret", pipeline.createWebhookSecret);
    this.output("CreateWriteKey", "Creates the parameter of Segment's write key", pipeline.createWriteKey);
  }

  private output(id: string, description: string, value: string): void {
    new CfnOutput(this, id, { description, value });
  }
}

/** SQS does not know where messages come from that deliver moved, so the command names the destination. */
function redrive({ queue, deadLetterQueue }: FlagsmithToSegment): string {
  const { region } = Stack.of(queue);
  return `aws sqs start-message-move-task --region ${region} --source-arn ${deadLetterQueue.queueArn} --destination-arn ${queue.queueArn}`;
}

/**
 * One stack for each entry of context `environments` in `cdk.json`; without that context, one named `production`.
 *
 * @throws ConfigurationError with every fault of every environment.
 */
export function addStacks(app: App): readonly FlagsmithToSegmentStack[] {
  const context: unknown = app.node.tryGetContext("environments") ?? { production: {} };
  if (typeof context !== "object" || context === null || Array.isArray(context)) {
    throw new ConfigurationError(['environments: allowed is an object, { "production": { …options } }']);
  }
  const environments = Object.entries(context);
  const faults = environments.flatMap(([name, options]) => faultsOf(name, options));
  if (environments.length === 0) faults.push("environments: at least one is needed");
  if (faults.length > 0) throw new ConfigurationError(faults);
  return environments.map(
    ([environmentName, options]) =>
      new FlagsmithToSegmentStack(app, `FlagsmithToSegment-${environmentName}`, { environmentName, options }),
  );
}

function faultsOf(name: string, options: unknown): readonly string[] {
  const faults = environmentNameFaults(name, `environments.${name}`);
  try {
    assertOptions(options, `environments.${name}`);
    return faults;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return [...faults, ...error.faults];
  }
}
