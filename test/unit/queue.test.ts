import { type OutgoingMessage, Queue } from "../../lambda/adapters/queue";
import { NOON, receivedMessage } from "../cloud/events";

const message = (n: number, overrides: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  body: `body ${n}`,
  groupId: "group",
  deduplicationId: `id-${n}`,
  attributes: {},
  ...overrides,
});

type Entries = readonly Readonly<Record<string, unknown>>[];

/** A queue over an SQS that confirms every entry, unless there is another answer. */
function queue(answer?: unknown) {
  const calls: { action: string; entries: Entries; deadlineMs: number | undefined }[] = [];
  const send = async (action: string, payload: object, deadlineMs?: number) => {
    const { QueueUrl, Entries: entries }: { QueueUrl: string; Entries: Entries } = Object(payload);
    expect(QueueUrl).toBe("https://sqs/queue.fifo");
    calls.push({ action, entries, deadlineMs });
    return answer ?? { Successful: entries.map(({ Id }) => ({ Id })) };
  };
  return { queue: new Queue({ send }, "https://sqs/queue.fifo"), calls };
}

describe("a queue", () => {
  it("sends a message with its group, its deduplication id and its attributes, until the deadline", async () => {
    const { queue: fifo, calls } = queue();
    await fifo.send([message(1, { attributes: { environment: 23, reason: "r", status: undefined } })], NOON);
    const MessageAttributes = {
      environment: { DataType: "Number", StringValue: "23" },
      reason: { DataType: "String", StringValue: "r" },
    };
    const ids = { Id: "0", MessageGroupId: "group", MessageDeduplicationId: "id-1" };
    const entries = [{ ...ids, MessageBody: "body 1", MessageAttributes }];
    expect(calls).toEqual([{ action: "SendMessageBatch", entries, deadlineMs: NOON }]);
  });

  // Ten bodies of 26,214 bytes are 256 KiB without their attributes.
  it.each([
    [2, 0, 2],
    [26_214, 0, 3],
    [32_000, 0, 3],
    [96_000, 0, 10],
    [96_000, 96_000, 20],
  ])("sends 20 messages of %d bytes with %d of experiments in order, within SQS's limits: %d requests", async (...given) => {
    const [bytes, ofExperiments, requests] = given;
    const { queue: fifo, calls } = queue();
    const attributes = { kind: "identify", version: 1, environment: 23, experiments: "ж".repeat(ofExperiments / 2) };
    await fifo.send(Array.from({ length: 20 }, (_, n) => message(n, { body: "ж".repeat(bytes / 2), attributes })));
    expect(calls).toHaveLength(requests);
    for (const { entries } of calls) {
      expect(entries.length).toBeLessThanOrEqual(10);
      expect(Buffer.byteLength(JSON.stringify(entries))).toBeLessThanOrEqual(256 * 1024);
    }
    const ids = calls.flatMap(({ entries }) => entries.map(({ MessageDeduplicationId }) => MessageDeduplicationId));
    expect(ids).toEqual(Array.from({ length: 20 }, (_, n) => `id-${n}`));
  });

  it("sets when received messages become visible", async () => {
    const { queue: fifo, calls } = queue();
    const messages = ["a", "b"].map((id) => receivedMessage({ id }));
    await fifo.setVisibility(messages, 2);
    const entries = ["a", "b"].map((id, n) => ({ Id: String(n), ReceiptHandle: `receipt-${id}`, VisibilityTimeout: 2 }));
    expect(calls).toEqual([{ action: "ChangeMessageVisibilityBatch", entries }]);
  });

  it.each([
    ["an error of SQS", { Failed: [{ Id: "0", Code: "InternalError", SenderFault: false }] }, "InternalError", true],
    ["a wrong request", { Failed: [{ Id: "0", Code: "AccessDenied", SenderFault: true }] }, "AccessDenied", false],
    ["a message that SQS does not confirm", { Successful: [] }, "unconfirmed", true],
    ["an answer without content", undefined, "unconfirmed", true],
  ])("throws for %s inside of a 200", async (_, answer, code, retryable) => {
    const { queue: fifo } = queue(answer ?? "nothing");
    const sent = { code, retryable, message: `sqs:SendMessageBatch failed: ${code}` };
    await expect(fifo.send([message(1)])).rejects.toMatchObject(sent);
    const changed = { code, retryable, message: `sqs:ChangeMessageVisibilityBatch failed: ${code}` };
    await expect(fifo.setVisibility([receivedMessage()], 2)).rejects.toMatchObject(changed);
  });
});

describe("a received message", () => {
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

  const text = (StringValue: string) => ({ DataType: "String", StringValue });

  it.each([
    ["no attributes", {}, {}],
    ["an environment that is not a number", { environment: text("production") }, {}],
    ["a version that is not a number", { version: text("v2") }, { version: "v2" }],
  ])("may have %s, but never NaN, because SQS would refuse it in a dead letter", (_, attributes, expected) => {
    expect(receivedMessage({ attributes }).attributes).toEqual(expected);
  });
});
