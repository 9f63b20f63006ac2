import { MAX_CALL_BYTES } from "../../lambda/identify-call";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { evaluations, fixture, signatures } from "../support/fixtures";
import { type Pipeline, startPipeline } from "../support/pipeline";

let pipeline: Pipeline;

beforeAll(async () => {
  // What comes at once would be merged.
  pipeline = await startPipeline({ webhookSecret: signatures.secret, options: { mergeBacklog: false } });
});
afterAll(() => pipeline.stop());

describe("the pipeline", () => {
  it.each(evaluations)("brings exactly the expected traits of $name to Segment", async ({ name, expected }) => {
    const signature = signatures.files[name];
    const { status, messageId } = await pipeline.post(fixture(name), { signature });
    expect(status).toBe(202);
    const { body, writeKey } = await pipeline.identify(messageId);
    expect(body).toMatchObject({ userId: expected.userId, messageId });
    expect(body.traits).toEqual(expected.traits);
    expect(writeKey).toBe("write-key");
    expect(Object.keys(body).sort()).toEqual(["context", "messageId", "sentAt", "timestamp", "traits", "userId"]);
  });

  it("brings what Python writes but JSON lacks", async () => {
    const flags = `[${["Infinity", "-Infinity", "NaN", "12345678901234567890"]
      .map((value, i) => `{"enabled": true, "feature": {"name": "f${i}"}, "feature_state_value": ${value}}`)
      .join(", ")}]`;
    const { messageId } = await pipeline.post(Buffer.from(`{"flags": ${flags}, "identity": "python"}`));
    const { body } = await pipeline.identify(messageId);
    expect(body.traits).toEqual({ f0: true, f1: true, f2: true, f3: "12345678901234567890" });
  });

  it("brings names and values of any script, and a flag called __proto__", async () => {
    const flags = [
      flagPayload({ name: "ключ 🚩", value: "значение\uFFFF\u0000" }),
      { ...flagPayload({ name: "x" }), feature: JSON.parse('{"name": "__proto__"}') },
    ];
    const identity = "用户".repeat(1_000);
    const { messageId } = await pipeline.post(bytesOf(evaluationPayload({ identity, flags })));
    const { body } = await pipeline.identify(messageId);
    expect(body.userId).toBe(identity);
    expect(Object.entries(Object(body.traits))).toEqual([
      ["ключ 🚩", "значение\uFFFF\u0000"],
      ["__proto__", true],
    ]);
  });

  it("brings 1,000 flags of 2 KB complete, in calls that Segment takes", async () => {
    const flags = Array.from({ length: 1_000 }, (_, i) => flagPayload({ name: `f${i}`, value: `${i}${"x".repeat(2_048)}` }));
    const before = pipeline.cloud.segment.calls.length;
    const { messageId } = await pipeline.post(bytesOf(evaluationPayload({ identity: "many", flags })));
    const parts = Math.ceil(1_000 / Math.floor(MAX_CALL_BYTES / 2_070));
    await pipeline.until(() => pipeline.cloud.segment.calls.length - before >= parts);
    const calls = pipeline.cloud.segment.calls.slice(before);
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
      ids.push((await pipeline.post(bytesOf(evaluationPayload({ identity: "ordered", flags })))).messageId);
    }
    await pipeline.identify(ids[29] ?? "");
    const arrived = pipeline.cloud.segment.calls.filter(({ body }) => body.userId === "ordered");
    expect(arrived.map(({ body }) => body.messageId)).toEqual(ids);
  });

  it("empties the queue", async () => {
    await pipeline.until(() => pipeline.cloud.queue.queue.size === 0);
  });
});

describe("deliver", () => {
  it("moves what is not from receive to the dead-letter queue", async () => {
    const { queue, deadLetterQueue } = pipeline.cloud;
    queue.queue.send({ body: "hello", groupId: "g", deduplicationId: "d", attributes: {} });
    await pipeline.until(() => deadLetterQueue.queue.size > 0);
    expect(deadLetterQueue.queue.messages).toMatchObject([
      { body: "hello", groupId: "g", attributes: { reason: { StringValue: "unreadable-message" } } },
    ]);
  });

  it("takes a new write key at once when the old one is refused", async () => {
    pipeline.cloud.ssm.set(pipeline.cloud.parameterNames.writeKey, "new-key");
    pipeline.cloud.segment.refusals.push(401);
    const { messageId } = await pipeline.post(bytesOf(evaluationPayload({ identity: "rotated" })));
    expect((await pipeline.identify(messageId)).writeKey).toBe("new-key");
  });
});
