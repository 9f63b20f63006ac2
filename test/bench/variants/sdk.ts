import { Logger } from "@aws-lambda-powertools/logger";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { receiveConfig } from "../../../lambda/config";
import { receiveHandler } from "../../../lambda/handlers/receive";
import { createTelemetry } from "../../../lambda/telemetry";

/** The same behaviour with AWS's own clients, one of each, keep-alive, made once, the parameter cached, and with Powertools' logger. */
const config = receiveConfig(process.env);
const requestHandler = { connectionTimeout: 1_000, requestTimeout: 2_000 };
const ssm = new SSMClient({ requestHandler });
const sqs = new SQSClient({ requestHandler });
const logger = new Logger({ serviceName: "receive" });

let cached: { readonly value: string; readonly until: number } | undefined;

async function get(name: string): Promise<string> {
  if (cached !== undefined && Date.now() < cached.until) return cached.value;
  const { Parameter: parameter } = await ssm.send(
    new GetParameterCommand({ Name: name, WithDecryption: true }),
  );
  cached = { value: parameter?.Value ?? "", until: Date.now() + 5 * 60_000 };
  return cached.value;
}

export const handler = receiveHandler({
  config,
  parameters: { get, refresh: get },
  queue: {
    send: async (messages) => {
      for (let from = 0; from < messages.length; from += 8) {
        const entries = messages.slice(from, from + 8).map((message, index) => ({
          Id: String(index),
          MessageBody: message.body,
          MessageGroupId: message.groupId,
          MessageDeduplicationId: message.deduplicationId,
          MessageAttributes: {
            environment: { DataType: "Number", StringValue: String(message.attributes.environment) },
          },
        }));
        const { Failed: failed = [] } = await sqs.send(
          new SendMessageBatchCommand({ QueueUrl: config.queueUrl, Entries: entries }),
        );
        if (failed.length > 0) throw new Error(`SQS took all but ${failed.length}`);
      }
    },
  },
  telemetry: createTelemetry({
    functionName: "receive",
    logUserId: "plain",
    sampling: 0,
    random: Math.random,
    log: {
      info: (message, fields) => logger.info(message, fields),
      warn: (message, fields) => logger.warn(message, fields),
      error: (message, fields) => logger.error(message, fields),
    },
  }),
  now: Date.now,
  budget: 6_000,
});
