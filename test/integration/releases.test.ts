import { fixture } from "../support/fixtures";
import { type Pipeline, startPipeline } from "../support/pipeline";

/** Both functions are updated at the same time, in either order: each reads what the other release wrote. */
const recorded = JSON.parse(fixture("message-of-1.0.0.json").toString());

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
});
afterAll(() => pipeline.stop());

it("a message of release 1.0.0 is delivered", async () => {
  pipeline.cloud.queue.queue.send(recorded);
  const { body } = await pipeline.identify(recorded.deduplicationId);
  expect(body).toEqual({ ...JSON.parse(recorded.body), sentAt: expect.any(String) });
});

it("what receive writes is what release 1.0.0 wrote, with attributes that it did not read", async () => {
  const seen: unknown[] = [];
  const { queue } = pipeline.cloud.queue;
  const send = jest.spyOn(queue, "send").mockImplementation((message) => {
    seen.push(message);
    return "stored";
  });
  const body = fixture("02-multivariate.json");
  await pipeline.post(body);
  send.mockRestore();
  const [message] = seen as (typeof recorded)[];
  const { version, ...library } = JSON.parse(message.body).context.library;
  expect(library).toEqual({ name: "flagsmith-to-segment" });
  const without = (text: string) => ({ ...JSON.parse(text), context: undefined, messageId: undefined, timestamp: undefined });
  expect(without(message.body)).toEqual(without(recorded.body));
  expect(Object.keys(JSON.parse(message.body))).toEqual(Object.keys(JSON.parse(recorded.body)));
  expect(message.groupId).toBe(recorded.groupId);
  expect(message.attributes).toEqual({
    ...recorded.attributes,
    kind: { DataType: "String", StringValue: "identify" },
    version: { DataType: "Number", StringValue: "1" },
  });
});
