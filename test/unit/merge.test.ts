import type { ReadMessage } from "../../lambda/deliver/invocation";
import { mergeBacklog } from "../../lambda/deliver/merge";
import type { Variation } from "../../lambda/experiments";
import { MAX_CALL_BYTES, parseIdentifyCall, withSentAt } from "../../lambda/identify-call";
import { callBody, NOON, receivedMessage } from "../cloud/events";

interface Input {
  readonly messageId: string;
  readonly traits?: Readonly<Record<string, unknown>>;
  readonly change?: Readonly<Record<string, unknown>>;
  readonly variations?: readonly Variation[];
}

function read({ messageId, traits = {}, change = {}, variations = [] }: Input): ReadMessage {
  const body = JSON.stringify({ ...JSON.parse(callBody({ messageId, traits })), ...change });
  return { kind: "read", message: receivedMessage({ id: messageId, body }), call: parseIdentifyCall(body), variations };
}

/** Evaluations of one message each, `e0-1`, `e1-1`, … */
const evaluations = (count: number, of: (index: number) => Omit<Input, "messageId"> = () => ({})) =>
  Array.from({ length: count }, (_, index) => read({ messageId: `e${index}-1`, ...of(index) }));

const traitsFrom = (from: number, count: number, value: unknown = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${from + index}`, value]));

const sizes = (messages: readonly ReadMessage[]) => mergeBacklog(messages, "request").map((unit) => unit.messages.length);
const bodiesOf = (messages: readonly ReadMessage[], requestId = "request") =>
  mergeBacklog(messages, requestId).map(({ call }) => JSON.parse(call.body));

describe("a backlog", () => {
  const tenParts = Array.from({ length: 10 }, (_, i) => read({ messageId: `e${i % 2}-${i}` }));

  it.each([
    ["of four evaluations is not merged", evaluations(4), [1, 1, 1, 1]],
    ["of five evaluations is merged", evaluations(5), [5]],
    ["of ten parts of two evaluations is not merged", tenParts, Array(10).fill(1)],
  ])("%s", (_, messages, expected) => {
    expect(sizes(messages)).toEqual(expected);
  });

  it("is merged as far as consecutive calls have one envelope", () => {
    const anonymous = { userId: undefined, anonymousId: "user-1" };
    const inactive = { context: { active: false } };
    const change = [{}, {}, anonymous, anonymous, inactive, {}, {}];
    expect(sizes(evaluations(7, (index) => ({ change: change[index] ?? {} })))).toEqual([2, 2, 1, 2]);
  });

  it("is merged up to 299 traits in one call", () => {
    expect(sizes(evaluations(6, (index) => ({ traits: traitsFrom(index * 100, 99) })))).toEqual([3, 3]);
    expect(sizes(evaluations(6, (index) => ({ traits: traitsFrom(index * 100, 100) })))).toEqual([2, 2, 2]);
  });

  it("counts a trait that several calls have once", () => {
    expect(sizes(evaluations(10, () => ({ traits: traitsFrom(0, 299) })))).toEqual([10]);
  });

  it("is merged up to 32,000 bytes in one call", () => {
    const messages = evaluations(5, (index) => ({ traits: { [`f${index}`]: "x".repeat(7_900) } }));
    expect(sizes(messages)).toEqual([4, 1]);
    for (const { call } of mergeBacklog(messages, "request")) {
      expect(Buffer.byteLength(withSentAt(call, NOON))).toBeLessThanOrEqual(MAX_CALL_BYTES);
    }
  });

  it("is merged as far as the events fit into one batch request with the call", () => {
    const many = (index: number) =>
      Array.from({ length: 200 }, (_, i) => ({ flag: `f${index}-${i}`, value: "v".repeat(200), since: "m-1" }));
    expect(sizes(evaluations(5, (index) => ({ variations: many(index) })))).toEqual([3, 2]);
  });
});

describe("a merged call", () => {
  it("has the last value of each trait, and the last call's envelope and time", () => {
    const timestamp = "2026-11-23T12:00:09.000Z";
    const traits = [{ a: 1, b: 1 }, { a: 2 }, { c: null }, { a: 3 }, { b: 2 }];
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
    expect(mergeBacklog(messages, "request")[0]?.call.receivedAtMs).toBe(Date.parse(timestamp));
  });

  it("has the last variation of each flag, with the call since which it is so", () => {
    const values = ["A", "B", "A", "C", "C"];
    const variation = (index: number) => ({ flag: "checkout", value: values[index] ?? "", since: `e${index}-1` });
    const messages = evaluations(5, (index) => ({ variations: [variation(index)] }));
    expect(mergeBacklog(messages, "request")[0]?.variations).toEqual([{ flag: "checkout", value: "C", since: "e3-1" }]);
  });

  it("may have a flag called __proto__", () => {
    const [call] = bodiesOf(evaluations(5, () => ({ traits: JSON.parse('{"__proto__":"x"}') })));
    expect(Object.entries(call.traits)).toEqual([["__proto__", "x"]]);
  });

  it("has another id in another invocation, and for other traits", () => {
    const backlogOf = (value: number) => evaluations(5, () => ({ traits: { value } }));
    const id = (value: number, requestId: string) => bodiesOf(backlogOf(value), requestId)[0].messageId;
    expect(id(1, "one")).toBe(id(1, "one"));
    expect(new Set([id(1, "one"), id(1, "other"), id(2, "one")]).size).toBe(3);
  });
});
