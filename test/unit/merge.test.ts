import { toReceivedMessage } from "../../lambda/adapters/queue";
import { mergeBacklog, type ReadMessage } from "../../lambda/deliver/merge";
import { MAX_CALL_BYTES, parseIdentifyCall, withSentAt } from "../../lambda/identify-call";
import { callBody, NOON, queueRecord } from "../cloud/events";

interface Input {
  readonly messageId: string;
  readonly traits?: Readonly<Record<string, unknown>>;
  readonly change?: Readonly<Record<string, unknown>>;
}

function read({ messageId, traits = {}, change = {} }: Input): ReadMessage {
  const body = JSON.stringify({ ...JSON.parse(callBody({ messageId, traits })), ...change });
  return { message: toReceivedMessage(queueRecord({ id: messageId, body })), call: parseIdentifyCall(body) };
}

/** Evaluations of one message each, `e0-1`, `e1-1`, … */
const evaluations = (count: number, of: (index: number) => Omit<Input, "messageId"> = () => ({})) =>
  Array.from({ length: count }, (_, index) => read({ messageId: `e${index}-1`, ...of(index) }));

const shapes = (messages: readonly ReadMessage[]) => mergeBacklog(messages, "request").map((unit) => unit.messages.length);
const bodiesOf = (messages: readonly ReadMessage[], requestId = "request") =>
  mergeBacklog(messages, requestId).flatMap(({ calls }) => calls.map(({ body }) => JSON.parse(body)));

describe("mergeBacklog", () => {
  it.each([
    ["four evaluations", evaluations(4), [1, 1, 1, 1]],
    ["five", evaluations(5), [5]],
    [
      "nine parts of two evaluations",
      Array.from({ length: 9 }, (_, i) => read({ messageId: `e${i % 2}-${i}` })),
      Array(9).fill(1),
    ],
    ["ten parts of two", Array.from({ length: 10 }, (_, i) => read({ messageId: `e${i % 2}-${i}` })), [10]],
  ])("makes of %s units of %j", (_, messages, expected) => {
    expect(shapes(messages)).toEqual(expected);
  });

  it("merges consecutive calls of one envelope only", () => {
    const anonymous = { userId: undefined, anonymousId: "user-1" };
    const inactive = { context: { active: false } };
    const change = [{}, {}, anonymous, anonymous, inactive, {}, {}];
    expect(shapes(evaluations(7, (index) => ({ change: change[index] ?? {} })))).toEqual([2, 2, 1, 2]);
  });

  it("lets later traits win, and takes the last one's envelope and time", () => {
    const timestamp = "2026-11-23T12:00:09.000Z";
    const traits = [{ a: 1, b: 1 }, { a: 2 }, { c: null }, { a: 3 }, { b: 2, __proto__: null }];
    const messages = evaluations(5, (index) => ({ traits: traits[index] ?? {}, change: index === 4 ? { timestamp } : {} }));
    expect(bodiesOf(messages)).toEqual([
      {
        userId: "user-1",
        context: { library: { name: "flagsmith-to-segment", version: "1.0.0" } },
        timestamp,
        messageId: expect.stringMatching(/^[\w-]{22}$/),
        traits: { a: 3, b: 2, c: null },
      },
    ]);
  });

  it("keeps a flag called __proto__", () => {
    const [call] = bodiesOf(evaluations(5, () => ({ traits: JSON.parse('{"__proto__":"x"}') })));
    expect(Object.entries(call.traits)).toEqual([["__proto__", "x"]]);
  });

  it("splits again where Segment's limits ask for it, and knows all traits for the comparison", () => {
    const messages = evaluations(10, (index) => ({
      traits: Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`f${120 * index + i}`, "x".repeat(20)])),
    }));
    const [unit, ...others] = mergeBacklog(messages, "request");
    expect(others).toEqual([]);
    const counts = unit?.calls.map(({ traitCount }) => traitCount) ?? [];
    expect(counts).toEqual([299, 299, 299, 299, 4]);
    for (const call of unit?.calls ?? []) expect(Buffer.byteLength(withSentAt(call, NOON))).toBeLessThanOrEqual(MAX_CALL_BYTES);
    expect(Object.keys(JSON.parse(unit?.whole.body ?? "").traits)).toHaveLength(1_200);
  });

  it("gives each part an id of its own, another in another invocation and for other traits", () => {
    const messages = (value: number) =>
      evaluations(5, (index) => ({
        traits: Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`f${80 * index + i}`, value])),
      }));
    const ids = [bodiesOf(messages(1)), bodiesOf(messages(1), "other"), bodiesOf(messages(2))]
      .flat()
      .map(({ messageId }) => messageId);
    expect(ids).toHaveLength(6);
    expect(new Set(ids).size).toBe(6);
    expect(bodiesOf(messages(1))).toEqual(bodiesOf(messages(1)));
  });
});
