import { AwsJson } from "./adapters/aws-json";
import { Parameters } from "./adapters/parameters";
import { Queue } from "./adapters/queue";
import { type Environment, receiveConfig } from "./config";
import { SECRET_PLACEHOLDER } from "./contract";
import { type ReceiveHandler, receiveHandler } from "./handlers/receive";
import { RUNTIME, type Runtime } from "./runtime";
import { createTelemetry } from "./telemetry";

export function compose(environment: Environment, { now, random, timing }: Runtime): ReceiveHandler {
  const config = receiveConfig(environment);
  const { region, credentials, ssmEndpoint, sqsEndpoint } = config.aws;
  const { awsAttempt: attemptTimeout, awsAttempts: attempts, awsPause: pause } = timing;
  const aws = { region, credentials, attemptTimeout, attempts, pause, now };
  const telemetry = createTelemetry({
    functionName: "receive",
    logUserId: config.logUserId,
    sampling: config.logSampling,
    random,
  });
  const parameters = new Parameters({
    ssm: new AwsJson({ ...aws, service: "ssm", endpoint: ssmEndpoint }),
    now,
    ttl: timing.parameterTtl,
    refreshInterval: timing.secretRefresh,
    stale: timing.parameterStale,
    onStale: telemetry.staleParameter,
    placeholder: SECRET_PLACEHOLDER,
    region,
    keyId: config.kmsKeyArn,
  });
  const queue = new Queue(new AwsJson({ ...aws, service: "sqs", endpoint: sqsEndpoint }), config.queueUrl);
  return receiveHandler({ config, parameters, queue, telemetry, now, budget: timing.receiveBudget });
}

export const handler = compose(process.env, RUNTIME);
