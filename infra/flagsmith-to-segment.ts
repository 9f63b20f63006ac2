import { Duration, Stack } from "aws-cdk-lib";
import type { HttpApi, HttpStage } from "aws-cdk-lib/aws-apigatewayv2";
import { Metric, type MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import type { Table } from "aws-cdk-lib/aws-dynamodb";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Alias, type IVersion, type Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct, type IConstruct } from "constructs";
import type { DeliverConfig, ReceiveConfig } from "../lambda/config";
import { ConfigurationError } from "../lambda/errors";
import { createParameterCommand, PLACEHOLDERS } from "../lambda/names";
import { type Options, type ResolvedOptions, resolveOptions } from "../lambda/options";
import { TIMING } from "../lambda/timing";
import { environmentNameFaults, parameterNames } from "./environment-name";
import { addMetricFilters, type MetricName } from "./monitoring/metrics";
import type { AlarmOptions } from "./monitoring/monitoring";
import { pipelineName, topStackOf } from "./name";
import { assertProps, optionErrors, warnOfOptions } from "./option-checks";
import { ALARM_OPTIONS } from "./option-rules";
import { warnOfOtherCdk, warnOfOverrides } from "./overrides";
import { type FunctionPlace, grantParameter, PipelineFunction } from "./pipeline-function";
import { addDeliveredTable, addFifoQueue, letLogsUse } from "./storage";
import { addWebhookApi } from "./webhook-api";

/** All options but those of the alarms, which are `Monitoring`'s. */
export interface FlagsmithToSegmentProps extends Omit<Options, keyof AlarmOptions> {
  /**
   * Name of the Flagsmith environment; its parameters are `/flagsmith-to-segment/<name>/…`. A letter, then up to 99 letters,
   * digits and dashes.
   */
  readonly environmentName: string;
  /**
   * Key for both queues, the table and the log groups. The key of the two parameters is `kmsKeyArn`.
   * @default - the services' own encryption
   */
  readonly encryptionKey?: IKey | undefined;
  /** VPC of both functions. They need a way out to SSM, SQS, DynamoDB and Segment: see infra/README.md. @default - none */
  readonly vpc?: IVpc | undefined;
  /** Subnets of the VPC. @default - its private subnets with a way out */
  readonly vpcSubnets?: SubnetSelection | undefined;
  /** Security groups of both functions in the VPC. @default - one for each function, which allows all outbound traffic */
  readonly securityGroups?: readonly ISecurityGroup[] | undefined;
}

/** SQS's limit. An outage of Segment must not turn good messages into dead letters. */
const MAX_RECEIVES = 1_000;

/** The alias that API Gateway invokes. */
const RECEIVE_ALIAS = "live";

/** What Lambda's event source does with the queue, with deliver's role. */
const EVENT_SOURCE_ACTIONS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/**
 * The whole pipeline: webhook, queue, delivery. Construct ids are a contract: a rename replaces resources in a user's account.
 *
 * @example
 * const pipeline = new FlagsmithToSegment(this, "FlagsmithToSegment", { environmentName: "production", segmentRegion: "eu" });
 * new Monitoring(this, "Monitoring", { pipeline, alarmEmail: "on-call@example.com" });
 * new CfnOutput(this, "WebhookUrl", { value: pipeline.webhookUrl });
 */
export class FlagsmithToSegment extends Construct {
  /** The stack's name, and the construct's path within it. Metrics, alarms and queries begin with it. */
  readonly name: string;
  readonly environmentName: string;
  /** With their defaults. */
  readonly options: ResolvedOptions;
  readonly webhookUrl: string;
  readonly api: HttpApi;
  /** What `new ApiMapping({ api, stage, domainName })` needs for a domain of your own. */
  readonly stage: HttpStage;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  /** Only with `forward: "changes"`. */
  readonly deliveredTable: Table | undefined;
  readonly receive: LambdaFunction;
  /**
   * What API Gateway invokes, and what any other caller should invoke: its update switches code and configuration in one step. Lambda updates
   * the two of a function one after the other, and in between every webhook would fail.
   */
  readonly receiveAlias: Alias;
  readonly deliver: LambdaFunction;
  /** Of API Gateway. */
  readonly accessLogs: LogGroup;
  readonly webhookSecretParameterName: string;
  readonly writeKeyParameterName: string;
  /** Commands that create the two parameters: CloudFormation can't create a SecureString. */
  readonly createWebhookSecret: string;
  readonly createWriteKey: string;

  /** @throws ConfigurationError for a name that is in use, and for a name or an option that is unknown or not allowed. */
  constructor(scope: Construct, id: string, props: FlagsmithToSegmentProps) {
    super(scope, id);
    const { environmentName, encryptionKey, vpc, vpcSubnets, securityGroups, ...given } = assertProps(props, id);
    const { region } = Stack.of(this);
    const errors = [
      ...environmentNameFaults(environmentName, `${id}.environmentName`),
      ...this.twinFaults(environmentName),
      ...optionErrors(given, { where: id, without: ALARM_OPTIONS, region }),
    ];
    if (errors.length > 0) throw new ConfigurationError(errors);
    warnOfOptions(this, given);
    warnOfOtherCdk(this);
    const options = resolveOptions(given);
    const parameters = parameterNames(environmentName);

    this.environmentName = environmentName;
    this.name = pipelineName(this);
    this.options = options;
    this.webhookSecretParameterName = parameters.webhookSecret;
    this.writeKeyParameterName = parameters.writeKey;
    if (encryptionKey !== undefined) letLogsUse(this, encryptionKey);
    this.deadLetterQueue = addFifoQueue(this, "DeadLetterQueue", { encryptionKey });
    const deadLetterQueue = { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVES };
    this.queue = addFifoQueue(this, "Queue", { deadLetterQueue, encryptionKey });
    if (options.forward === "changes") this.deliveredTable = addDeliveredTable(this, encryptionKey);
    const place = { encryptionKey, vpc, vpcSubnets, securityGroups };
    this.receive = this.addReceive(parameters.webhookSecret, place);
    // CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
    const version = this.receive.currentVersion as IVersion;
    this.receiveAlias = new Alias(this, "ReceiveAlias", { aliasName: RECEIVE_ALIAS, version });
    this.deliver = this.addDeliver(parameters.writeKey, place);
    const { api, stage, accessLogs } = addWebhookApi(this, this.receiveAlias, options, encryptionKey);
    this.api = api;
    this.stage = stage;
    this.accessLogs = accessLogs;
    addMetricFilters(this, this.name, { receive: this.receive.logGroup, deliver: this.deliver.logGroup, access: accessLogs });
    const parts = { functions: [this.receive, this.deliver], queues: [this.queue, this.deadLetterQueue] };
    warnOfOverrides(this, { ...parts, encryptionKey, vpc });
    this.webhookUrl = `${this.api.apiEndpoint}/webhook`;
    const where = { region: Stack.of(this).region, keyId: options.kmsKeyArn };
    this.createWebhookSecret = createParameterCommand(parameters.webhookSecret, '"$(openssl rand -hex 32)"', where);
    this.createWriteKey = createParameterCommand(parameters.writeKey, `'${PLACEHOLDERS.writeKey}'`, where);
  }

  /** Two of a name would share their parameters, and the commands could not tell them apart. */
  private twinFaults(environmentName: string): readonly string[] {
    const isTwin = (other: IConstruct) =>
      other !== this && other instanceof FlagsmithToSegment && other.environmentName === environmentName;
    const twin = topStackOf(this).node.findAll().find(isTwin);
    return twin === undefined
      ? []
      : [`${this.node.id}.environmentName: ${environmentName} is that of ${twin.node.path} already`];
  }

  /** Lets a function, of a rotation for example, read the webhook secret. */
  grantReadWebhookSecret(grantee: IGrantable): void {
    grantParameter(grantee, this, "WebhookSecret", this.webhookSecretParameterName, this.options.kmsKeyArn);
  }

  /** Lets a function, of a rotation for example, read the write key. */
  grantReadWriteKey(grantee: IGrantable): void {
    grantParameter(grantee, this, "WriteKey", this.writeKeyParameterName, this.options.kmsKeyArn);
  }

  private addReceive(webhookSecretParameter: string, place: FunctionPlace): LambdaFunction {
    const { options } = this;
    const { traitPrefix, traitStyle, flags, flagsmithTraits, segments, markActive } = options;
    const { identities, anonymousIdentities, experiments, removeTraits } = options;
    const config: ReceiveConfig = {
      ...this.sharedConfig(),
      stackName: topStackOf(this).stackName,
      webhookSecretParameter,
      traitPrefix,
      traitStyle,
      flags,
      flagsmithTraits,
      segments,
      identities,
      anonymousIdentities,
      markActive,
      experiments,
      removeTraits,
    };
    const receive = new PipelineFunction(this, "Receive", {
      functionName: "receive",
      description: "Verifies, maps and queues Flagsmith's evaluations",
      config,
      logRetentionDays: options.logRetentionDays,
      // CPU comes with memory: 512 MB halves the cold start of 256 MB, and holds a body of 6 MB parsed.
      memorySize: 512,
      timeout: Duration.millis(TIMING.receiveFunctionMs),
      reservedConcurrency: options.reservedConcurrency,
      ...place,
    });
    this.queue.grant(receive, "sqs:SendMessage");
    this.grantReadWebhookSecret(receive);
    return receive;
  }

  private addDeliver(writeKeyParameter: string, place: FunctionPlace): LambdaFunction {
    const { options, deliveredTable: table } = this;
    const { segmentEndpoint, mergeBacklog, dryRun, refreshHours } = options;
    const config: DeliverConfig = {
      ...this.sharedConfig(),
      queueArn: this.queue.queueArn,
      deadLetterQueueUrl: this.deadLetterQueue.queueUrl,
      writeKeyParameter,
      segmentEndpoint,
      mergeBacklog,
      dryRun,
      changes: table === undefined ? undefined : { table: table.tableName, refreshHours },
    };
    const deliver = new PipelineFunction(this, "Deliver", {
      functionName: "deliver",
      description: "Delivers queued identify calls to Segment",
      config,
      logRetentionDays: options.logRetentionDays,
      // Waits for Segment most of its time; 256 MB hold ten calls of 32 KB and their sockets with ease.
      memorySize: 256,
      timeout: Duration.millis(TIMING.deliverFunctionMs),
      ...place,
    });
    this.queue.grant(deliver, "sqs:ChangeMessageVisibility", ...EVENT_SOURCE_ACTIONS);
    this.deadLetterQueue.grant(deliver, "sqs:SendMessage");
    table?.grant(deliver, "dynamodb:GetItem", "dynamodb:PutItem");
    this.grantReadWriteKey(deliver);
    deliver.addEventSourceMapping("Batches", {
      eventSourceArn: this.queue.queueArn,
      // The most that Lambda takes of a FIFO queue.
      batchSize: 10,
      reportBatchItemFailures: true,
      maxConcurrency: options.maxConcurrency,
      enabled: !options.paused,
    });
    return deliver;
  }

  private sharedConfig() {
    const { kmsKeyArn, logUserId } = this.options;
    const { urlSuffix } = Stack.of(this);
    return { queueUrl: this.queue.queueUrl, urlSuffix, pipelineName: this.name, kmsKeyArn, logUserId };
  }

  /**
   * A number from the log lines. Only lines write it: where there are none, there is no data.
   * @default - the sum over five minutes
   */
  metric(metricName: MetricName, options: MetricOptions = {}): Metric {
    const period = Duration.minutes(5);
    return new Metric({ namespace: this.name, metricName, statistic: "Sum", period, label: metricName, ...options });
  }
}
