import { AwsJson } from "./adapters/aws-json";
import { Parameters } from "./adapters/parameters";
import { Queue } from "./adapters/queue";
import { Segment } from "./adapters/segment";
import { deliverConfig } from "./config";
import { BATCH_SIZE, WRITE_KEY_PLACEHOLDER } from "./contract";
import { deliverHandler } from "./handlers/deliver";
import { createTelemetry } from "./telemetry";
import { TIMING } from "./timing";

const config = deliverConfig(process.env);
const { region, credentials, ssmEndpoint, sqsEndpoint } = config.aws;
const aws = { region, credentials, attemptTimeout: TIMING.awsAttempt, attempts: TIMING.awsAttempts };
const now = () => Date.now();

export const handler = deliverHandler({
  config,
  parameters: new Parameters({
    ssm: new AwsJson({ ...aws, service: "ssm", endpoint: ssmEndpoint }),
    now,
    ttl: TIMING.parameterTtl,
    placeholder: WRITE_KEY_PLACEHOLDER,
    region,
  }),
  segment: new Segment({
    endpoint: config.segmentEndpoint,
    connections: BATCH_SIZE,
    attemptTimeout: TIMING.segmentAttempt,
    connectTimeout: TIMING.segmentConnect,
    now,
  }),
  deadLetters: new Queue(
    new AwsJson({ ...aws, service: "sqs", endpoint: sqsEndpoint }),
    config.deadLetterQueueUrl,
  ),
  telemetry: createTelemetry({ functionName: "deliver", logUserId: config.logUserId }),
  now,
});
