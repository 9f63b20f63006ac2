import { parameterNames } from "../../infra/environment-name";
import { CONFIG_VARIABLE, type DeliverConfig, type ReceiveConfig } from "../../lambda/config";
import type { DeliverHandler } from "../../lambda/deliver/deliver";
import { type Options, resolveOptions } from "../../lambda/options";
import type { ReceiveHandler } from "../../lambda/receive/receive";
import { QUEUE_ARN } from "./events";
import { CREDENTIALS, REGION } from "./server";

export interface Handlers {
  readonly receive: ReceiveHandler;
  readonly deliver: DeliverHandler;
}

/** The environment variables of both functions. */
export interface Environments {
  readonly receive: Readonly<Record<string, string>>;
  readonly deliver: Readonly<Record<string, string>>;
}

/** URLs of the services. */
export interface Places {
  readonly ssmUrl: string;
  readonly sqsUrl: string;
  readonly segmentUrl: string;
  /** @default - none, which is enough for `forward: "every"` */
  readonly dynamodbUrl?: string;
}

export const NAMES = parameterNames("test");
export const TABLE = "delivered";

/** Builds the variables that infra and Lambda would set, without a template. The queues and the table have fixed names. */
export function environmentsOf(places: Places, options: Options = {}): Environments {
  const { ssmUrl, sqsUrl, segmentUrl, dynamodbUrl } = places;
  const resolved = resolveOptions({ ...options, segmentEndpoint: segmentUrl });
  const shared = { ...resolved, urlSuffix: "invalid", queueUrl: `${sqsUrl}/queue.fifo` };
  const receive: ReceiveConfig = { ...shared, stackName: "stack", webhookSecretParameter: NAMES.webhookSecret };
  const deliver: DeliverConfig = {
    ...shared,
    queueArn: QUEUE_ARN,
    deadLetterQueueUrl: `${sqsUrl}/dead-letters.fifo`,
    writeKeyParameter: NAMES.writeKey,
    changes: resolved.forward === "changes" ? { table: TABLE, refreshHours: resolved.refreshHours } : undefined,
  };
  const aws = {
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_SSM: ssmUrl,
    AWS_ENDPOINT_URL_SQS: sqsUrl,
    ...(dynamodbUrl === undefined ? {} : { AWS_ENDPOINT_URL_DYNAMODB: dynamodbUrl }),
  };
  const withConfig = (config: object) => ({ ...aws, [CONFIG_VARIABLE]: JSON.stringify(config) });
  return { receive: withConfig(receive), deliver: withConfig(deliver) };
}
