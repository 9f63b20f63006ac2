import { AwsJson } from "./adapters/aws-json";
import { DeliveredTable } from "./adapters/delivered-table";
import { Parameters } from "./adapters/parameters";
import { Queue } from "./adapters/queue";
import { Segment } from "./adapters/segment";
import { deliverConfig, type Environment } from "./config";
import { WRITE_KEY_PLACEHOLDER } from "./contract";
import { Changes } from "./handlers/changes";
import { type DeliverHandler, deliverHandler } from "./handlers/deliver";
import { RUNTIME, type Runtime } from "./runtime";
import { createTelemetry } from "./telemetry";

export function compose(environment: Environment, { now, random, timing }: Runtime): DeliverHandler {
  const config = deliverConfig(environment);
  const { region, credentials, ssmEndpoint, sqsEndpoint, dynamodbEndpoint } = config.aws;
  const { awsAttempt: attemptTimeout, awsAttempts: attempts, awsPause: pause } = timing;
  const aws = { region, credentials, attemptTimeout, attempts, pause, now };
  const sqs = new AwsJson({ ...aws, service: "sqs", endpoint: sqsEndpoint });
  const telemetry = createTelemetry({
    functionName: "deliver",
    logUserId: config.logUserId,
    sampling: config.logSampling,
    random,
  });
  const parameters = new Parameters({
    ssm: new AwsJson({ ...aws, service: "ssm", endpoint: ssmEndpoint }),
    now,
    ttl: timing.parameterTtl,
    refreshInterval: timing.writeKeyRefresh,
    stale: timing.parameterStale,
    onStale: telemetry.staleParameter,
    placeholder: WRITE_KEY_PLACEHOLDER,
    region,
    keyId: config.kmsKeyArn,
  });
  const changes =
    config.changes &&
    new Changes({
      table: new DeliveredTable(
        new AwsJson({ ...aws, service: "dynamodb", endpoint: dynamodbEndpoint }),
        config.changes.table,
      ),
      telemetry,
      endpoint: config.segmentEndpoint,
      refresh: config.changes.refresh,
      now,
    });
  const segment = new Segment({
    endpoint: config.segmentEndpoint,
    attemptTimeout: timing.segmentAttempt,
    connectTimeout: timing.segmentConnect,
    maxIdle: timing.segmentIdle,
    now,
  });
  return deliverHandler({
    config,
    parameters,
    segment,
    changes,
    queue: new Queue(sqs, config.queueUrl),
    deadLetters: new Queue(sqs, config.deadLetterQueueUrl),
    telemetry,
    now,
    random,
    timing,
  });
}

export const handler = compose(process.env, RUNTIME);
