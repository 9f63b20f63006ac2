import { AwsJson } from "./adapters/aws-json";
import { Parameters } from "./adapters/parameters";
import { Queue } from "./adapters/queue";
import { receiveConfig } from "./config";
import { SECRET_PLACEHOLDER } from "./contract";
import { receiveHandler } from "./handlers/receive";
import { createTelemetry } from "./telemetry";
import { TIMING } from "./timing";

const config = receiveConfig(process.env);
const { region, credentials, ssmEndpoint, sqsEndpoint } = config.aws;
const aws = { region, credentials, attemptTimeout: TIMING.awsAttempt, attempts: TIMING.awsAttempts };
const now = () => Date.now();

export const handler = receiveHandler({
  config,
  parameters: new Parameters({
    ssm: new AwsJson({ ...aws, service: "ssm", endpoint: ssmEndpoint }),
    now,
    ttl: TIMING.parameterTtl,
    placeholder: SECRET_PLACEHOLDER,
    region,
  }),
  queue: new Queue(new AwsJson({ ...aws, service: "sqs", endpoint: sqsEndpoint }), config.queueUrl),
  telemetry: createTelemetry({ functionName: "receive", logUserId: config.logUserId }),
  now,
  budget: () => AbortSignal.timeout(TIMING.receiveBudget),
});
