import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { MAX_CALL_BYTES } from "../../lambda/domain/identify";
import { bytesOf, evaluationPayload, flagPayload } from "../support/builders";
import { evaluations, fixture, signatures } from "../support/fixtures";
import { type Road, startRoad } from "../support/road";

let road: Road;

beforeAll(async () => {
  road = await startRoad({ webhookSecret: signatures.secret });
});
afterAll(() => road.stop());

describe("the road", () => {
  it.each(evaluations)(
    "brings exactly the expected traits of $name to Segment",
    async ({ name, expected }) => {
      const signature = signatures.files[name];
      const { status, messageId } = await road.post(fixture(name), { signature });
      expect(status).toBe(202);
      const { body, writeKey } = await road.identify(messageId);
      expect(body).toMatchObject({ userId: expected.userId, messageId });
      expect(body.traits).toEqual(expected.traits);
      expect(writeKey).toBe("write-key");
      expect(Object.keys(body).sort()).toEqual([
        "context",
        "messageId",
        "sentAt",
        "timestamp",
        "traits",
        "userId",
      ]);
    },
  );

  it("brings what Python writes but JSON lacks", async () => {
    const flags = `[${["Infinity", "-Infinity", "NaN", "12345678901234567890"]
      .map((value, i) => `{"enabled": true, "feature": {"name": "f${i}"}, "feature_state_value": ${value}}`)
      .join(", ")}]`;
    const { messageId } = await road.post(Buffer.from(`{"flags": ${flags}, "identity": "python"}`));
    const { body } = await road.identify(messageId);
    expect(body.traits).toEqual({ f0: true, f1: true, f2: true, f3: "12345678901234567890" });
  });

  it("brings names and values of any script, and a flag called __proto__", async () => {
    const flags = [
      flagPayload({ name: "ключ 🚩", value: "значение\uFFFF\u0000" }),
      { ...flagPayload({ name: "x" }), feature: JSON.parse('{"name": "__proto__"}') },
    ];
    const identity = "用户".repeat(1_000);
    const { messageId } = await road.post(bytesOf(evaluationPayload({ identity, flags })));
    const { body } = await road.identify(messageId);
    expect(body.userId).toBe(identity);
    expect(Object.entries(Object(body.traits))).toEqual([
      ["ключ 🚩", "значение\uFFFF\u0000"],
      ["__proto__", true],
    ]);
  });

  it("brings 1,000 flags of 2 KB complete, in calls that Segment takes", async () => {
    const flags = Array.from({ length: 1_000 }, (_, i) =>
      flagPayload({ name: `f${i}`, value: `${i}${"x".repeat(2_048)}` }),
    );
    const before = road.cloud.sink.calls.length;
    const { messageId } = await road.post(bytesOf(evaluationPayload({ identity: "many", flags })));
    const parts = Math.ceil(1_000 / Math.floor(MAX_CALL_BYTES / 2_070));
    await road.until(() => road.cloud.sink.calls.length - before >= parts);
    const calls = road.cloud.sink.calls.slice(before);
    expect(calls[0]?.body.messageId).toBe(messageId);
    for (const { bytes } of calls) expect(bytes).toBeLessThanOrEqual(MAX_CALL_BYTES);
    const traits = Object.assign({}, ...calls.map(({ body }) => body.traits));
    expect(Object.keys(traits)).toHaveLength(1_000);
    expect(traits).toEqual(Object.fromEntries(flags.map((_, i) => [`f${i}`, `${i}${"x".repeat(2_048)}`])));
  });

  it("keeps one identity's order", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 30; i++) {
      const flags = [flagPayload({ name: "n", value: i })];
      ids.push((await road.post(bytesOf(evaluationPayload({ identity: "ordered", flags })))).messageId);
    }
    await road.identify(ids[29] ?? "");
    const arrived = road.cloud.sink.calls.filter(({ body }) => body.userId === "ordered");
    expect(arrived.map(({ body }) => body.messageId)).toEqual(ids);
  });

  it("empties the queue", async () => {
    await road.until(async () => {
      const { Attributes: depth } = await road.cloud.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: road.cloud.queue.url, AttributeNames: ["All"] }),
      );
      return (
        depth?.ApproximateNumberOfMessages === "0" && depth.ApproximateNumberOfMessagesNotVisible === "0"
      );
    });
  });
});

describe("the courier", () => {
  const deadLetter = async () => {
    const { Messages: [letter] = [] } = await road.cloud.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: road.cloud.deadLetterQueue.url,
        WaitTimeSeconds: 10,
        VisibilityTimeout: 600,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["All"],
      }),
    );
    const attributes = Object.entries(letter?.MessageAttributes ?? {}).map(([name, { StringValue }]) => [
      name,
      StringValue,
    ]);
    return {
      body: letter?.Body,
      group: letter?.Attributes?.MessageGroupId,
      ...Object.fromEntries(attributes),
    };
  };

  it("moves what Segment rejects to the dead letters, with its reason", async () => {
    road.cloud.sink.refusals.push(400);
    const { messageId } = await road.post(bytesOf(evaluationPayload({ identity: "rejected" })));
    expect(await deadLetter()).toMatchObject({
      body: expect.stringContaining('"userId":"rejected"'),
      reason: "rejected-by-segment",
      status: "400",
      messageId,
      environment: "23",
    });
  });

  it("moves what is not from receive to the dead letters", async () => {
    const stranger = { MessageBody: "hello", MessageGroupId: "g", MessageDeduplicationId: "d" };
    await road.cloud.sqs.send(new SendMessageCommand({ QueueUrl: road.cloud.queue.url, ...stranger }));
    expect(await deadLetter()).toMatchObject({ body: "hello", group: "g", reason: "unreadable-message" });
  });

  it("takes a new write key at once when the old one is refused", async () => {
    road.cloud.parameters.put(road.cloud.parameterNames.writeKey, "new-key");
    road.cloud.sink.refusals.push(401);
    const { messageId } = await road.post(bytesOf(evaluationPayload({ identity: "rotated" })));
    expect((await road.identify(messageId)).writeKey).toBe("new-key");
  });
});
