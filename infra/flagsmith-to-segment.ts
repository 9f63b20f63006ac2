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

/** All options except those of the alarms, which are props of `Monitoring`. */
export interface FlagsmithToSegmentProps extends Omit<Options, keyof AlarmOptions> {
  /**
   * Name of the Flagsmith environment: a letter, then up to 99 letters, digits and dashes. The parameters are
   * `/flagsmith-to-segment/<name>/…`.
   */
  readonly environmentName: string;
  /**
   * Key for both queues, the table and the log groups. The key of the two parameters is `kmsKeyArn`.
   * @default - the services' own encryption
   */
  readonly encryptionKey?: IKey | undefined;
  /** VPC of both functions. They need a route to SSM, SQS, DynamoDB and Segment: see infra/README.md. @default - none */
  readonly vpc?: IVpc | undefined;
  /** Subnets of the VPC. @default - its private subnets with egress */
  readonly vpcSubnets?: SubnetSelection | undefined;
  /** Security groups of both functions in the VPC. @default - one for each function, which allows all outbound traffic */
  readonly securityGroups?: readonly ISecurityGroup[] | undefined;
}

/** SQS's maximum, because SQS must not dead-letter good messages during an outage of Segment. */
const MAX_RECEIVES = 1_000;

/** The alias that API Gateway invokes. */
const RECEIVE_ALIAS = "live";

/** The rights that Lambda's event source needs on the queue. It uses deliver's role. */
const EVENT_SOURCE_ACTIONS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/**
 * The whole pipeline: webhook, queue and delivery. Construct ids must not change, because a new id replaces the resource in every account.
 *
 * @example
 * const pipeline = new FlagsmithToSegment(this, "FlagsmithToSegment", { environmentName: "production", segmentRegion: "eu" });
 * new Monitoring(this, "Monitoring", { pipeline, alarmEmail: "on-call@example.com" });
 * new CfnOutput(this, "WebhookUrl", { value: pipeline.webhookUrl });
 */
export class FlagsmithToSegment extends Construct {
  /** The stack's name and the construct's path in the stack. The names of metrics, alarms and queries begin with it. */
  readonly name: string;
  readonly environmentName: string;
  /** The given options, and the defaults of the other ones. */
  readonly options: ResolvedOptions;
  readonly webhookUrl: string;
  readonly api: HttpApi;
  /** The stage that `new ApiMapping({ api, stage, domainName })` needs for a domain of your own. */
  readonly stage: HttpStage;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  /** Only with `forward: "changes"`. */
  readonly deliveredTable: Table | undefined;
  readonly receive: LambdaFunction;
  /**
   * API Gateway invokes this alias, and so should any other caller. An update of the alias switches code and configuration in one step.
   * Lambda updates the code and the configuration of a function one after the other, and between the two every webhook would fail.
   */
  readonly receiveAlias: Alias;
  readonly deliver: LambdaFunction;
  /** API Gateway's access log. */
  readonly accessLogs: LogGroup;
  readonly webhookSecretParameterName: string;
  readonly writeKeyParameterName: string;
  /** The commands that create the two parameters, because CloudFormation can't create a SecureString. */
  readonly createWebhookSecret: string;
  readonly createWriteKey: string;

  /** @throws ConfigurationError for an environment name that is in use or not allowed, and for an option that is unknown or not allowed. */
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

  /** Two pipelines with the same environment name would share their parameters, and the commands could not distinguish them. */
  private twinFaults(environmentName: string): readonly string[] {
    const isTwin = (other: IConstruct) =>
      other !== this && other instanceof FlagsmithToSegment && other.environmentName === environmentName;
    const twin = topStackOf(this).node.findAll().find(isTwin);
    return twin === undefined
      ? []
      : [`${this.node.id}.environmentName: ${environmentName} is that of ${twin.node.path} already`];
  }

  /** Lets a function read the webhook secret, for example to rotate it. */
  grantReadWebhookSecret(grantee: IGrantable): void {
    grantParameter(grantee, this, "WebhookSecret", this.webhookSecretParameterName, this.options.kmsKeyArn);
  }

  /** Lets a function read the write key, for example to rotate it. */
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
      // Lambda gives CPU in proportion to memory: with 512 MB a cold start takes half as long as with 256 MB. A parsed body of 6 MB fits.
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
      // Deliver waits for Segment most of the time. 256 MB is plenty for ten calls of 32 KB and their sockets.
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
      // Lambda's maximum for a FIFO queue.
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
   * A metric that counts log entries. Without such entries it has no data.
   * @default - the sum over five minutes
   */
  metric(metricName: MetricName, options: MetricOptions = {}): Metric {
    const period = Duration.minutes(5);
    return new Metric({ namespace: this.name, metricName, statistic: "Sum", period, label: metricName, ...options });
  }
}
