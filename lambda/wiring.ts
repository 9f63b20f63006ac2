import { AwsCall } from "./adapters/aws-call";
import { DeliveredTable } from "./adapters/delivered-table";
import { Parameter } from "./adapters/parameter";
import { Queue } from "./adapters/queue";
import { Segment } from "./adapters/segment";
import type { Environment, ReceiveConfig, SharedConfig } from "./config";
import { readAws, readDeliverConfig, readReceiveConfig } from "./config";
import { type DeliverHandler, deliverHandler } from "./deliver/deliver";
import { ConfigurationError, type ParameterError } from "./errors";
import { createLog } from "./log";
import { type FunctionName, PLACEHOLDERS } from "./names";
import type { IdentifyOptions } from "./receive/identify";
import { type ReceiveHandler, receiveHandler } from "./receive/receive";
import { compileSelection } from "./receive/selection";
import { compileSkip } from "./receive/skip";
import { HOUR_SECONDS, type Machine, RETRY_SECONDS, TIMING } from "./timing";

const LAMBDA: Machine = { now: Date.now, random: Math.random, timing: TIMING, retrySeconds: RETRY_SECONDS };

/** Composes receive from its environment. It only creates objects. */
export function composeReceive(environment: Environment, machine: Machine = LAMBDA): ReceiveHandler {
  return orReport("receive", environment, () => {
    const options = readReceiveConfig(environment);
    const { aws, log, parameterOf } = shared("receive", environment, options, machine);
    return receiveHandler({
      stackName: options.stackName,
      secret: parameterOf(options.webhookSecretParameter, PLACEHOLDERS.webhookSecret, machine.timing.secretRefreshMs),
      mapping: mappingOf(options),
      reasonToSkip: compileSkip(options),
      queue: new Queue(new AwsCall("sqs", aws, machine), options.queueUrl),
      log,
      now: machine.now,
      budgetMs: machine.timing.receiveBudgetMs,
    });
  });
}

/** Composes deliver from its environment. It only creates objects. */
export function composeDeliver(environment: Environment, machine: Machine = LAMBDA): DeliverHandler {
  return orReport("deliver", environment, () => {
    const options = readDeliverConfig(environment);
    const { changes, dryRun, segmentEndpoint: endpoint } = options;
    const { aws, log, parameterOf } = shared("deliver", environment, options, machine);
    const sqs = new AwsCall("sqs", aws, machine);
    const tableOf = (name: string) => new DeliveredTable(new AwsCall("dynamodb", aws, machine), name);
    return deliverHandler({
      ...machine,
      queueArn: options.queueArn,
      writeKey: parameterOf(options.writeKeyParameter, PLACEHOLDERS.writeKey, machine.timing.writeKeyRefreshMs),
      dryRun,
      // A dry run logs each call. It merges nothing, because it never waits for Segment.
      mergeBacklog: options.mergeBacklog && !dryRun,
      segment: new Segment(endpoint, machine),
      changes: changes && { records: tableOf(changes.table), endpoint, refreshSeconds: changes.refreshHours * HOUR_SECONDS },
      queue: new Queue(sqs, options.queueUrl),
      deadLetterQueue: new Queue(sqs, options.deadLetterQueueUrl),
      log,
    });
  });
}

/** Logs an unreadable configuration once per invocation. If the module threw while it loads, Lambda would report a crash. */
function orReport<Args extends readonly unknown[], Result>(
  functionName: FunctionName,
  { AWS_LAMBDA_LOG_LEVEL: lambdaLogLevel }: Environment,
  compose: () => (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  try {
    return compose();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const log = createLog({ functionName, logUserId: "hashed", lambdaLogLevel });
    return async () => {
      log.write({ event: "misconfigured", message: "the function can't work with its environment", error });
      throw error;
    };
  }
}

function shared(functionName: FunctionName, environment: Environment, options: SharedConfig, machine: Machine) {
  const aws = readAws(environment, options);
  const log = createLog({ ...options, functionName, lambdaLogLevel: environment.AWS_LAMBDA_LOG_LEVEL });
  const message = "parameter can't be read again, its last value stays in use";
  const onStale = (error: ParameterError) => log.write({ event: "parameter-stale", message, error });
  const ssm = new AwsCall("ssm", aws, machine);
  const about = { ...machine, ssm, region: aws.region, keyId: options.kmsKeyArn, onStale };
  const parameterOf = (name: string, placeholder: string, refreshIntervalMs: number) =>
    new Parameter({ ...about, name, placeholder, refreshIntervalMs });
  return { aws, log, parameterOf };
}

export function mappingOf({ flags, flagsmithTraits: own, ...options }: ReceiveConfig): IdentifyOptions {
  const selectsTrait = typeof own === "boolean" ? () => own : compileSelection({ include: own });
  // During an update the code may read the configuration of an earlier release, which did not have these two options.
  const { experiments = [], removeTraits = [] } = options;
  const selectsExperiment = compileSelection({ include: experiments });
  return { ...options, removeTraits, selectsFlag: compileSelection(flags), selectsTrait, selectsExperiment };
}
