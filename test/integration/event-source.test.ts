import {
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SetQueueAttributesCommand,
} from "@aws-sdk/client-sqs";
import type { SQSEvent } from "aws-lambda";
import { type Road, startRoad } from "../support/road";

/** What the local cloud's event source does with what deliver reports. */
let road: Road;
let batches: (readonly string[])[] = [];
let failing: ReadonlySet<string> = new Set();

beforeAll(async () => {
  road = await startRoad({
    load: async () => ({
      receive: async () => ({}),
      deliver: async ({ Records: records }: SQSEvent) => {
        batches.push(records.map(({ body }) => body));
        return {
          batchItemFailures: records
            .filter(({ body }) => failing.has(body))
            .map(({ messageId }) => ({ itemIdentifier: messageId })),
        };
      },
    }),
  });
});
afterAll(() => road.stop());
beforeEach(() => {
  batches = [];
  failing = new Set();
});

async function send(...bodies: readonly string[]): Promise<void> {
  for (let from = 0; from < bodies.length; from += 10) {
    const entries = bodies.slice(from, from + 10).map((body, index) => ({
      Id: String(index),
      MessageBody: body,
      MessageGroupId: "one",
      MessageDeduplicationId: `${expect.getState().currentTestName}-${body}`.replaceAll(/[^\w-]/g, "_"),
    }));
    await road.cloud.sqs.send(
      new SendMessageBatchCommand({ QueueUrl: road.cloud.queue.url, Entries: entries }),
    );
  }
}

async function drained(): Promise<void> {
  await road.until(async () => {
    const { Attributes: depth } = await road.cloud.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: road.cloud.queue.url, AttributeNames: ["All"] }),
    );
    return depth?.ApproximateNumberOfMessages === "0" && depth.ApproximateNumberOfMessagesNotVisible === "0";
  });
}

describe("the event source", () => {
  it("hands over at most ten messages at once, in order, and deletes what did not fail", async () => {
    const bodies = Array.from({ length: 25 }, (_, i) => `m${i}`);
    await send(...bodies);
    await drained();
    expect(batches.flat()).toEqual(bodies);
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(10);
  });

  it("keeps what was reported as failed, for when its visibility ends", async () => {
    await road.cloud.sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl: road.cloud.queue.url,
        Attributes: { VisibilityTimeout: "1" },
      }),
    );
    failing = new Set(["b", "c"]);
    await send("a", "b", "c");
    await road.until(() => batches.length > 0);
    failing = new Set();
    await drained();
    expect(batches.flat().filter((body) => body === "a")).toHaveLength(1);
    expect(batches.flat().slice(-2)).toEqual(["b", "c"]);
  });
});
