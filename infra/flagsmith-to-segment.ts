import { Duration, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import { AccessLogField, AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Metric, type MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import { AttributeType, BillingMode, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import { FilterPattern, LogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import {
  assertOptions,
  BATCH_SIZE,
  ENV,
  type Options,
  parameterNames,
  putParameterCommand,
  type ResolvedOptions,
  resolveOptions,
  SECRET_PLACEHOLDER,
  TIMING,
  WRITE_KEY_PLACEHOLDER,
} from "../lambda/contract";
import { METRICS, type MetricName, type MetricRule } from "./metrics";
import { grantParameter, RoadFunction } from "./road-function";

export interface FlagsmithToSegmentProps extends Options {
  /** Name of the Flagsmith environment; its parameters are `/flagsmith-to-segment/<name>/…`. */
  readonly environmentName: string;
}

/**
 * Batches that deliver works on at once. 10 batches of 10 identities, 120 ms each, are some 800 calls a second: below the 1,000
 * that Segment takes from a workspace.
 */
const MAX_CONCURRENCY = 10;

/** SQS's limit. An outage of Segment must not turn good messages into dead letters. */
const MAX_RECEIVES = 1_000;

const RETENTION = Duration.days(14);

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

  /** @throws ConfigurationError for an option that is unknown or not allowed. */
  constructor(scope: Construct, id: string, props: FlagsmithToSegmentProps) {
    super(scope, id);
    const { environmentName, ...given } = props;
    assertOptions(given, id);
    const options = resolveOptions(given);
    const parameters = parameterNames(environmentName);

    this.deadLetterQueue = this.fifo("DeadLetterQueue");
    this.queue = this.fifo("Queue", { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVES });

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
    if (options.forward === "changes") this.deliveredTable = this.addDeliveredTable(deliver);
    deliver.addEventSourceMapping("Batches", {
      eventSourceArn: this.queue.queueArn,
      batchSize: BATCH_SIZE,
      reportBatchItemFailures: true,
      maxConcurrency: MAX_CONCURRENCY,
    });

    this.receive = receive;
    this.deliver = deliver;
    this.addMetricFilters();
    this.api = this.addApi(receive, options);
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

  private addMetricFilters(): void {
    const groups = { receive: this.receive.logGroup, deliver: this.deliver.logGroup };
    for (const [name, rule] of Object.entries<MetricRule>(METRICS)) {
      const { source, pattern, value, defaultValue } = rule;
      new MetricFilter(this, `Metric${name}`, {
        logGroup: groups[source],
        filterPattern: FilterPattern.literal(pattern),
        metricNamespace: Stack.of(this).stackName,
        metricName: name,
        metricValue: value,
        ...(defaultValue === undefined ? {} : { defaultValue }),
      });
    }
  }

  /** High-throughput FIFO: order within an identity, 3,000 messages a second and more across them. */
  private fifo(
    id: string,
    deadLetterQueue?: { readonly queue: Queue; readonly maxReceiveCount: number },
  ): Queue {
    return new Queue(this, id, {
      fifo: true,
      deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
      fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: RETENTION,
      visibilityTimeout: Duration.millis(TIMING.visibility),
      // What is in them was accepted: whoever deletes the stack deletes them by hand, when they are empty.
      removalPolicy: RemovalPolicy.RETAIN,
      ...(deadLetterQueue === undefined ? {} : { deadLetterQueue }),
    });
  }

  /** What Segment was last given, as fingerprints: losing it costs one repeat of each person's traits. */
  private addDeliveredTable(deliver: LambdaFunction): Table {
    const table = new Table(this, "Delivered", {
      partitionKey: { name: "identity", type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: "expiresAt",
      encryption: TableEncryption.DEFAULT,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(table).acknowledge({
      id: "AwsSolutions-DDB3",
      reason:
        "A cache of fingerprints: what a backup would bring back is out of date, and a loss costs one repeat.",
    });
    deliver.addEnvironment(ENV.deliveredTable, table.tableName);
    table.grant(deliver, "dynamodb:GetItem", "dynamodb:PutItem");
    return table;
  }

  private addApi(receive: LambdaFunction, options: ResolvedOptions): HttpApi {
    const api = new HttpApi(this, "Api", { apiName: Stack.of(this).stackName, createDefaultStage: false });
    const [route] = api.addRoutes({
      path: "/webhook",
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration("ReceiveIntegration", receive),
    });
    if (route !== undefined) {
      Validations.of(route).acknowledge({
        id: "AwsSolutions-APIG4",
        reason:
          "Flagsmith authenticates by an HMAC over the body, which no API Gateway authorizer sees; receive verifies it first.",
      });
    }
    const accessLogs = new LogGroup(this, "AccessLogs", {
      retention: options.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const { rateLimit = 1_000, burstLimit = 2_000 } = options.throttle;
    new HttpStage(this, "Stage", {
      httpApi: api,
      stageName: "$default",
      autoDeploy: true,
      throttle: { rateLimit, burstLimit },
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(
          JSON.stringify({
            apiRequestId: AccessLogField.contextRequestId(),
            time: AccessLogField.contextRequestTime(),
            sourceIp: AccessLogField.contextIdentitySourceIp(),
            userAgent: AccessLogField.contextIdentityUserAgent(),
            route: "$context.routeKey",
            status: AccessLogField.contextStatus(),
            responseLatency: AccessLogField.contextResponseLatency(),
            integrationError: AccessLogField.contextIntegrationErrorMessage(),
          }),
        ),
      },
    });
    return api;
  }
}
