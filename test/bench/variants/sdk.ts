import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { readReceiveConfig } from "../../../lambda/config";
import { createLog } from "../../../lambda/log";
import { receiveHandler } from "../../../lambda/receive/receive";
import { mappingOf } from "../../../lambda/wiring";

/** The same behaviour with AWS's own clients. Each client is created once and keeps its connections open. The parameter is cached. */
const config = readReceiveConfig(process.env);
const requestHandler = { connectionTimeout: 1_000, requestTimeout: 2_000 };
const ssm = new SSMClient({ requestHandler });
const sqs = new SQSClient({ requestHandler });

let cached: { readonly lines: readonly string[]; readonly until: number } | undefined;

async function get(): Promise<readonly string[]> {
  if (cached !== undefined && Date.now() < cached.until) return cached.lines;
  const { Parameter: parameter } = await ssm.send(
    new GetParameterCommand({ Name: config.webhookSecretParameter, WithDecryption: true }),
  );
  cached = { lines: [parameter?.Value ?? ""], until: Date.now() + 5 * 60_000 };
  return cached.lines;
}

export const handler = receiveHandler({
  stackName: config.stackName,
  mapping: mappingOf(config),
  reasonToSkip: () => undefined,
  secret: { name: config.webhookSecretParameter, get, refresh: get },
  queue: {
    send: async (messages) => {
      for (let from = 0; from < messages.length; from += 8) {
        const entries = messages
          .slice(from, from + 8)
          .map(({ body, groupId, deduplicationId, attributes }, index) => ({
            Id: String(index),
            MessageBody: body,
            MessageGroupId: groupId,
            MessageDeduplicationId: deduplicationId,
            MessageAttributes: { environment: { DataType: "Number", StringValue: String(attributes.environment) } },
          }));
        const command = new SendMessageBatchCommand({ QueueUrl: config.queueUrl, Entries: entries });
        const { Failed: failed = [] } = await sqs.send(command);
        if (failed.length > 0) throw new Error(`SQS took all but ${failed.length}`);
      }
    },
  },
  log: createLog({ functionName: "receive", logUserId: "plain", lambdaLogLevel: undefined }),
  now: Date.now,
  budgetMs: 6_000,
});
