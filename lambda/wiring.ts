import { AwsCall } from "./adapters/aws-call";
import { DeliveredTable } from "./adapters/delivered-table";
import { ParameterReader, type ParameterReaderOptions } from "./adapters/parameters";
import { Queue } from "./adapters/queue";
import { Segment } from "./adapters/segment";
import {
  type Aws,
  type DeliverConfig,
  type Environment,
  type ReceiveConfig,
  readAws,
  readDeliverConfig,
  readReceiveConfig,
  type SharedConfig,
} from "./config";
import { ALWAYS_CHANGED, Changes, type Comparer } from "./deliver/changes";
import { type DeliverHandler, deliverHandler } from "./deliver/deliver";
import { ConfigurationError, type ParameterError } from "./errors";
import { createLog, type Log } from "./log";
import { type FunctionName, PLACEHOLDERS } from "./names";
import type { IdentifyOptions } from "./receive/identify";
import { leavesOut } from "./receive/leave-out";
import { type ReceiveHandler, receiveHandler } from "./receive/receive";
import { compileSelection } from "./receive/selection";
import { type Machine, TIMING } from "./timing";

const LAMBDA: Machine = { now: Date.now, random: Math.random, timing: TIMING };

/** Receive, from its environment. Does nothing but make objects. */
export function composeReceive(environment: Environment, machine: Machine = LAMBDA): ReceiveHandler {
  return orReport("receive", machine, () => {
    const config = readReceiveConfig(environment);
    const aws = readAws(environment, config);
    const log = logOf("receive", config, machine);
    const { now, timing } = machine;
    const secret = { refreshInterval: timing.secretRefresh, placeholder: PLACEHOLDERS.webhookSecret };
    return receiveHandler({
      stackName: config.stackName,
      webhookSecretParameter: config.webhookSecretParameter,
      read: { traits: config.flagsmithTraits !== false, segments: config.segments },
      mapping: mappingOf(config),
      reasonToLeaveOut: leavesOut(config),
      parameters: readerOf(aws, config, log, machine, secret),
      queue: new Queue(new AwsCall("sqs", aws, machine), config.queueUrl),
      log,
      now,
      budget: timing.receiveBudget,
    });
  });
}

/** Deliver, from its environment. Does nothing but make objects. */
export function composeDeliver(environment: Environment, machine: Machine = LAMBDA): DeliverHandler {
  return orReport("deliver", machine, () => {
    const config = readDeliverConfig(environment);
    const aws = readAws(environment, config);
    const log = logOf("deliver", config, machine);
    const sqs = new AwsCall("sqs", aws, machine);
    const writeKey = { refreshInterval: machine.timing.writeKeyRefresh, placeholder: PLACEHOLDERS.writeKey };
    return deliverHandler({
      ...machine,
      queueArn: config.queueArn,
      writeKeyParameter: config.writeKeyParameter,
      dryRun: config.dryRun,
      // A dry run logs each call; nothing waits for Segment.
      mergeBacklog: config.mergeBacklog && !config.dryRun,
      parameters: readerOf(aws, config, log, machine, writeKey),
      segment: new Segment(config.segmentEndpoint, machine),
      comparer: comparerOf(aws, config, log, machine),
      queue: new Queue(sqs, config.queueUrl),
      deadLetterQueue: new Queue(sqs, config.deadLetterQueueUrl),
      log,
    });
  });
}

/** A configuration that can't be read is told in one line per invocation; thrown while the module loads, it would be a crash. */
function orReport<Args extends readonly unknown[], Result>(
  functionName: FunctionName,
  machine: Machine,
  compose: () => (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  try {
    return compose();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const log = logOf(functionName, { logUserId: "hashed", logSampling: 0 }, machine);
    return async () => {
      log.write({ event: "misconfigured", message: "the function can't work with its environment", error });
      throw error;
    };
  }
}

function logOf(
  functionName: FunctionName,
  { logUserId, logSampling: sampling }: Pick<SharedConfig, "logUserId" | "logSampling">,
  { random }: Machine,
): Log {
  return createLog({ functionName, logUserId, sampling, random });
}

function readerOf(
  aws: Aws,
  { kmsKeyArn: keyId }: SharedConfig,
  { write }: Log,
  machine: Machine,
  secret: Pick<ParameterReaderOptions, "refreshInterval" | "placeholder">,
): ParameterReader {
  const onStale = (error: ParameterError) => {
    const { parameter, remedy } = error;
    const message = "parameter could not be read again, its last value stays in use";
    write({ event: "parameter-stale", message, fields: { parameter, remedy }, error });
  };
  return new ParameterReader({
    ...machine,
    ...secret,
    ssm: new AwsCall("ssm", aws, machine),
    onStale,
    region: aws.region,
    keyId,
  });
}

export function mappingOf({ flags, flagsmithTraits: own, ...config }: ReceiveConfig): IdentifyOptions {
  const selectsTrait = typeof own === "boolean" ? () => own : compileSelection({ include: own });
  return { ...config, selectsFlag: compileSelection(flags), selectsTrait };
}

function comparerOf(aws: Aws, { changes, segmentEndpoint }: DeliverConfig, log: Log, machine: Machine): Comparer {
  if (changes === undefined) return ALWAYS_CHANGED;
  const table = new DeliveredTable(new AwsCall("dynamodb", aws, machine), changes.table);
  return new Changes({
    table,
    log,
    endpoint: segmentEndpoint,
    refresh: changes.refreshHours * 3_600,
    now: machine.now,
  });
}
