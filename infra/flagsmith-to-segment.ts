import { Duration, Stack } from "aws-cdk-lib";
import type { HttpApi } from "aws-cdk-lib/aws-apigatewayv2";
import { Metric, type MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import type { Table } from "aws-cdk-lib/aws-dynamodb";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import {
  assertOptions,
  BATCH_SIZE,
  ConfigurationError,
  ENV,
  type Options,
  parameterNames,
  putParameterCommand,
  resolveOptions,
  SECRET_PLACEHOLDER,
  TIMING,
  WRITE_KEY_PLACEHOLDER,
} from "../lambda/contract";
import { environmentNameFaults } from "./environment-name";
import { addMetricFilters, type MetricName } from "./metrics";
import type { AlarmOptions } from "./monitoring";
import { grantParameter, RoadFunction } from "./road-function";
import { addDeliveredTable, addFifoQueue } from "./storage";
import { addWebhookApi } from "./webhook-api";

/** All options but those of the alarms, which are `Monitoring`'s. */
export interface FlagsmithToSegmentProps extends Omit<Options, keyof AlarmOptions> {
  /**
   * Name of the Flagsmith environment; its parameters are `/flagsmith-to-segment/<name>/…`. A letter, then up to 99 letters,
   * digits and dashes.
   */
  readonly environmentName: string;
}

/**
 * Batches that deliver works on at once. 10 batches of 10 identities, 120 ms each, are some 800 calls a second: below the 1,000
 * that Segment takes from a workspace.
 */
const MAX_CONCURRENCY = 10;

/** SQS's limit. An outage of Segment must not turn good messages into dead letters. */
const MAX_RECEIVES = 1_000;

/** What Lambda's event source does with the queue in the name of deliver. */
const EVENT_SOURCE_ACTIONS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/** The whole road: webhook, queue, courier. Construct ids are a contract: a rename replaces resources in somebody's account. */
export class FlagsmithToSegment extends Construct {
  readonly api: HttpApi;
  readonly webhookUrl: string;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  /** Only with `forward: "changes"`. */
  readonly deliveredTable: Table | undefined;
  readonly receive: LambdaFunction;
  readonly deliver: LambdaFunction;
  /** Commands that create the two parameters: CloudFormation can't make a SecureString. */
  readonly putWebhookSecret: string;
  readonly putWriteKey: string;

  /** @throws ConfigurationError for a name or an option that is unknown or not allowed. */
  constructor(scope: Construct, id: string, props: FlagsmithToSegmentProps) {
    super(scope, id);
    const { environmentName, ...given } = props;
    const faults = environmentNameFaults(environmentName, id);
    if (faults.length > 0) throw new ConfigurationError(faults);
    assertOptions(given, id);
    const options = resolveOptions(given);
    const parameters = parameterNames(environmentName);

    this.deadLetterQueue = addFifoQueue(this, "DeadLetterQueue");
    this.queue = addFifoQueue(this, "Queue", { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVES });

    const receive = new RoadFunction(this, "Receive", {
      functionName: "receive",
      description: "Verifies, maps and queues Flagsmith's evaluations",
      options: given,
      // CPU comes with memory: 512 MB halves the cold start of 256 MB, and holds a body of 6 MB parsed.
      memorySize: 512,
      timeout: Duration.millis(TIMING.receiveFunction),
    });
    receive.addEnvironment(ENV.stackName, Stack.of(this).stackName);
    receive.addEnvironment(ENV.queueUrl, this.queue.queueUrl);
    this.queue.grant(receive, "sqs:SendMessage");
    receive.addEnvironment(ENV.webhookSecretParameter, parameters.webhookSecret);
    grantParameter(receive, "WebhookSecret", parameters.webhookSecret, options.kmsKeyArn);

    const deliver = new RoadFunction(this, "Deliver", {
      functionName: "deliver",
      description: "Hands queued identify calls to Segment",
      options: given,
      // Waits for Segment most of its time; 256 MB hold ten calls of 32 KB and their sockets with ease.
      memorySize: 256,
      timeout: Duration.millis(TIMING.deliverFunction),
    });
    deliver.addEnvironment(ENV.queueUrl, this.queue.queueUrl);
    this.queue.grant(deliver, "sqs:ChangeMessageVisibility");
    deliver.addEnvironment(ENV.deadLetterQueueUrl, this.deadLetterQueue.queueUrl);
    this.deadLetterQueue.grant(deliver, "sqs:SendMessage");
    deliver.addEnvironment(ENV.writeKeyParameter, parameters.writeKey);
    grantParameter(deliver, "WriteKey", parameters.writeKey, options.kmsKeyArn);
    this.queue.grant(deliver, ...EVENT_SOURCE_ACTIONS);
    if (options.forward === "changes") this.deliveredTable = addDeliveredTable(this, deliver);
    deliver.addEventSourceMapping("Batches", {
      eventSourceArn: this.queue.queueArn,
      batchSize: BATCH_SIZE,
      reportBatchItemFailures: true,
      maxConcurrency: MAX_CONCURRENCY,
    });

    this.receive = receive;
    this.deliver = deliver;
    addMetricFilters(this, { receive: receive.logGroup, deliver: deliver.logGroup });
    this.api = addWebhookApi(this, receive, options);
    this.webhookUrl = `${this.api.apiEndpoint}/webhook`;
    const where = {
      region: Stack.of(this).region,
      ...(options.kmsKeyArn === undefined ? {} : { keyId: options.kmsKeyArn }),
    };
    this.putWebhookSecret = putParameterCommand(parameters.webhookSecret, SECRET_PLACEHOLDER, where);
    this.putWriteKey = putParameterCommand(parameters.writeKey, WRITE_KEY_PLACEHOLDER, where);
  }

  /**
   * A number out of the log; its name without dimensions in the namespace of the stack's name.
   * @default - the sum over five minutes
   */
  metric(name: MetricName, options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: Stack.of(this).stackName,
      metricName: name,
      statistic: "Sum",
      period: Duration.minutes(5),
      label: name,
      ...options,
    });
  }

  get logGroupNames(): string[] {
    return [this.receive.logGroup.logGroupName, this.deliver.logGroup.logGroupName];
  }

  /** Bytes that CloudWatch took in, by function. */
  logBytes(): readonly Metric[] {
    return this.logGroupNames.map(
      (LogGroupName, index) =>
        new Metric({
          namespace: "AWS/Logs",
          metricName: "IncomingBytes",
          statistic: "Sum",
          period: Duration.minutes(5),
          dimensionsMap: { LogGroupName },
          label: `${index === 0 ? "receive" : "deliver"} log bytes`,
        }),
    );
  }
}
