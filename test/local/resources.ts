import { CreateQueueCommand, GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { AwsJson } from "../../lambda/adapters/aws-json";
import type { Deployment } from "./deployment";
import { CREDENTIALS, listen, REGION } from "./loopback";

export interface LocalQueue {
  readonly url: string;
  readonly arn: string;
}

/** Dead-letter queues first, as CloudFormation would. */
export async function createQueues(
  sqs: SQSClient,
  deployment: Deployment,
): Promise<ReadonlyMap<string, LocalQueue>> {
  const created = new Map<string, LocalQueue>();
  const ordered = [...deployment.queues].sort(
    (a, b) => Number(a.deadLetterQueue !== undefined) - Number(b.deadLetterQueue !== undefined),
  );
  for (const { logicalId, attributes, deadLetterQueue } of ordered) {
    const { maxReceiveCount, ...rest } = attributes;
    const redrive =
      deadLetterQueue === undefined
        ? {}
        : {
            RedrivePolicy: JSON.stringify({
              deadLetterTargetArn: queueOf(created, deadLetterQueue).arn,
              maxReceiveCount,
            }),
          };
    const { QueueUrl: url = "" } = await sqs.send(
      new CreateQueueCommand({ QueueName: `${logicalId}.fifo`, Attributes: { ...rest, ...redrive } }),
    );
    const { Attributes: { QueueArn: arn = "" } = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }),
    );
    created.set(logicalId, { url, arn });
  }
  return created;
}

export function queueOf(queues: ReadonlyMap<string, LocalQueue>, logicalId: string): LocalQueue {
  const queue = queues.get(logicalId);
  if (queue === undefined) throw new Error(`the template has no queue ${logicalId}`);
  return queue;
}

/** An embedded DynamoDB, where the deployment has a table. Its in-memory store is gone with the process. */
export async function startTables(
  { tables }: Deployment,
  started: (() => Promise<unknown>)[],
): Promise<string | undefined> {
  if (tables.length === 0) return undefined;
  const { default: dynalite } = await import("dynalite");
  const endpoint = await listen(dynalite({ createTableMs: 0 }), started);
  const dynamodb = new AwsJson({
    service: "dynamodb",
    region: REGION,
    endpoint,
    credentials: CREDENTIALS,
    attemptTimeout: 10_000,
    attempts: 1,
    pause: 0,
    now: Date.now,
  });
  for (const { logicalId, properties } of tables) {
    const { AttributeDefinitions, KeySchema, BillingMode } = properties;
    await dynamodb.call("CreateTable", {
      TableName: logicalId,
      AttributeDefinitions,
      KeySchema,
      BillingMode,
    });
  }
  dynamodb.close();
  return endpoint;
}
