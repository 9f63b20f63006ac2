import { type OutgoingMessage, Queue } from "../../lambda/adapters/queue";
import { NOON, receivedMessage } from "../cloud/events";

const message = (n: number, overrides: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  body: `body ${n}`,
  groupId: "group",
  deduplicationId: `id-${n}`,
  attributes: {},
  ...overrides,
});

type Payload = { readonly QueueUrl: string; readonly Entries: readonly { readonly Id: string }[] };
const isPayload = (payload: unknown): payload is Payload =>
  typeof payload === "object" && payload !== null && "Entries" in payload;

function queue(answer?: unknown) {
  const calls: { action: string; payload: Payload }[] = [];
  const sqs = {
    send: async (action: string, payload: unknown) => {
      if (!isPayload(payload)) throw new Error("not a batch");
      calls.push({ action, payload });
      return answer ?? { Successful: payload.Entries.map(({ Id }) => ({ Id })) };
    },
  };
  return { queue: new Queue(sqs, "https://sqs/queue.fifo"), calls };
}

describe("a queue", () => {
  it("sends a message with its group, its deduplication id and its attributes", async () => {
    const { queue: fifo, calls } = queue();
    await fifo.send([message(1, { attributes: { environment: 23, reason: "r", status: undefined } })]);
    expect(calls).toEqual([
      {
        action: "SendMessageBatch",
        payload: {
          QueueUrl: "https://sqs/queue.fifo",
          Entries: [
            {
              Id: "0",
              MessageBody: "body 1",
              MessageGroupId: "group",
              MessageDeduplicationId: "id-1",
              MessageAttributes: {
                environment: { DataType: "Number", StringValue: "23" },
                reason: { DataType: "String", StringValue: "r" },
              },
            },
          ],
        },
      },
    ]);
  });

  // Ten bodies of 26,214 bytes are 256 KiB without their attributes.
  it.each([1, 26_214, 32_000, 96_000])("sends 20 messages of %d bytes in order, within SQS's limits", async (bytes) => {
    const { queue: fifo, calls } = queue();
    const attributes = { kind: "identify", version: 1, environment: 23 };
    await fifo.send(Array.from({ length: 20 }, (_, n) => message(n, { body: "x".repeat(bytes), attributes })));
    for (const { payload } of calls) {
      expect(payload.Entries.length).toBeLessThanOrEqual(10);
      expect(JSON.stringify(payload.Entries).length).toBeLessThanOrEqual(256 * 1024);
    }
    const ids = calls.flatMap(({ payload }) =>
      payload.Entries.map((entry) => ("MessageDeduplicationId" in entry ? entry.MessageDeduplicationId : "")),
    );
    expect(ids).toEqual(Array.from({ length: 20 }, (_, n) => `id-${n}`));
  });

  it("sets when received messages become visible", async () => {
    const { queue: fifo, calls } = queue();
    await fifo.setVisibility(
      ["a", "b"].map((id) => receivedMessage({ id })),
      2,
    );
    expect(calls).toEqual([
      {
        action: "ChangeMessageVisibilityBatch",
        payload: {
          QueueUrl: "https://sqs/queue.fifo",
          Entries: [
            { Id: "0", ReceiptHandle: "receipt-a", VisibilityTimeout: 2 },
            { Id: "1", ReceiptHandle: "receipt-b", VisibilityTimeout: 2 },
          ],
        },
      },
    ]);
  });

  it("throws if SQS refused one of the changes", async () => {
    const { queue: fifo } = queue({ Failed: [{ Id: "0", Code: "ReceiptHandleIsInvalid", SenderFault: true }] });
    await expect(fifo.setVisibility([receivedMessage()], 2)).rejects.toMatchObject({
      message: "sqs:ChangeMessageVisibilityBatch failed: ReceiptHandleIsInvalid",
      code: "ReceiptHandleIsInvalid",
    });
  });

  it.each([
    ["an error of SQS", { Failed: [{ Id: "0", Code: "InternalError", SenderFault: false }] }, "InternalError", true],
    ["a wrong request", { Failed: [{ Id: "0", Code: "AccessDenied", SenderFault: true }] }, "AccessDenied", false],
    ["a message that SQS does not confirm", { Successful: [] }, "unconfirmed", true],
    ["an answer without content", undefined, "unconfirmed", true],
  ])("throws for %s inside of a 200", async (_, answer, code, retryable) => {
    const { queue: fifo } = queue(answer ?? "nothing");
    await expect(fifo.send([message(1)])).rejects.toMatchObject({ code, retryable });
  });
});

describe("a received message", () => {
  it("keeps a version that is not a number, because SQS would refuse NaN in a dead letter", () => {
    const attributes = { version: { DataType: "String", StringValue: "v2" } };
    expect(receivedMessage({ attributes }).attributes).toEqual({ version: "v2" });
  });

  it("is read from the event of Lambda's event source", () => {
    expect(receivedMessage({ id: "a", body: "body", receiveCount: 3, sentAt: NOON - 5 })).toEqual({
      id: "a",
      receiptHandle: "receipt-a",
      body: "body",
      groupId: expect.stringMatching(/^[0-9a-f]{64}$/),
      sentAtMs: NOON - 5,
      receiveCount: 3,
      sequence: 18_849_496_460_467_696_129n,
      attributes: { kind: "identify", version: 1, environment: 23 },
      isComplete: true,
    });
  });

  it("may have no attributes, or an environment that is not a number", () => {
    expect(receivedMessage({ attributes: {} }).attributes).toEqual({});
    const environment = { DataType: "String", StringValue: "production" };
    expect(receivedMessage({ attributes: { environment } }).attributes.environment).toBeUndefined();
  });
});
