import { parseIdentifyCall, toQueueText, withSentAt } from "../../lambda/identify-call";
import type { Evaluation, Flag } from "../../lambda/receive/evaluation";
import { type IdentifyOptions, toIdentifyCalls } from "../../lambda/receive/identify";
import { callBody, NOON } from "../cloud/events";
import { evaluationOf, flagsOf, identifyOptions } from "../support/fakes";

const receipt = { stackName: "FlagsmithToSegment-test", requestId: "JKJaXmPLvHcESHA=", receivedAtMs: NOON };

const map = (evaluation: Partial<Evaluation>, options: Partial<IdentifyOptions> = {}, from = receipt) =>
  toIdentifyCalls(evaluationOf(evaluation), from, { ...identifyOptions, ...options });
const bodiesOf = (...given: Parameters<typeof map>) => map(...given).calls.map(({ body }) => JSON.parse(body));

describe("an evaluation", () => {
  it("becomes a call that is complete but for sentAt", () => {
    expect(bodiesOf({ flags: flagsOf({ dark_mode: null, max_items: 25 }) })).toEqual([
      {
        userId: "user-1",
        context: { library: { name: "flagsmith-to-segment", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) } },
        timestamp: "2026-11-23T12:00:00.000Z",
        messageId: "FlagsmithToSegment-test-JKJaXmPLvHcESHA=-1",
        traits: { dark_mode: true, max_items: 25 },
      },
    ]);
  });

  it("does not count as activity with markActive: false", () => {
    expect(bodiesOf({}, { markActive: false })).toMatchObject([
      { context: { active: false, library: { name: "flagsmith-to-segment" } } },
    ]);
  });

  it("has an anonymousId if its identity is anonymous and the option says so", () => {
    const identity = "5d41402abc4b2a76b9719d911017c592";
    const [anonymous] = bodiesOf({ identity }, { anonymousIdentities: "anonymousId" });
    expect(anonymous).toMatchObject({ anonymousId: identity });
    expect(anonymous).not.toHaveProperty("userId");
    expect(bodiesOf({ identity })).toMatchObject([{ userId: identity }]);
    expect(bodiesOf({}, { anonymousIdentities: "anonymousId" })).toMatchObject([{ userId: "user-1" }]);
  });

  it("has another message id in each request, so that a flag may change back", () => {
    expect(map({}, {}, { ...receipt, requestId: "other" }).calls[0].messageId).not.toBe(map({}).calls[0].messageId);
  });

  it("has a hash in its message id if that would have 100 characters or more, and the id stays unique", () => {
    const ids = ["a", "b"].map((end) => {
      const from = { ...receipt, stackName: "S".repeat(85), requestId: `request-${end}` };
      return map({}, {}, from).calls[0].messageId;
    });
    expect(new Set(ids).size).toBe(2);
    // 99 less three digits, because a part's number may have four.
    expect(ids.map(({ length }) => length)).toEqual([96, 96]);
  });

  it.each([
    [31_000, 0],
    [31_900, 1],
  ])("has at most 32,000 bytes with its envelope: of a value of %d bytes, %d is cut", (length, cuts) => {
    expect(map({ flags: flagsOf({ f: "x".repeat(length) }) }).cut).toHaveLength(cuts);
  });

  it("has the state of a flag whose value is too large for any call, and lacks such a trait of Flagsmith", () => {
    const value = "ж".repeat(20_000);
    const evaluation = { flags: flagsOf({ huge: value, next: 1 }), traits: [{ key: "bio", value }] };
    expect(bodiesOf(evaluation, { selectsTrait: () => true })).toMatchObject([{ traits: { huge: true, next: 1 } }]);
    const typed = { huge: true, huge_value: null, next: true, next_value: 1 };
    expect(bodiesOf({ flags: evaluation.flags }, { traitStyle: "typed" })).toMatchObject([{ traits: typed }]);
    expect(map(evaluation, { selectsTrait: () => true }).cut).toEqual([
      { name: "bio", bytes: 40_008 },
      { name: "huge", bytes: 40_009 },
    ]);
  });

  it("may have a flag called __proto__", () => {
    expect(map({ flags: flagsOf({ ["__proto__"]: "v" }) }).calls[0].body).toContain('"traits":{"__proto__":"v"}');
  });

  const many = Array.from({ length: 299 }, (_, i) => ({ name: `f${i}`, enabled: true, value: null }));

  it.each<[string, readonly Flag[], readonly unknown[]]>([
    ["has null for a trait that option removeTraits lists", flagsOf({ f: 1 }), [null]],
    ["has its own value for such a trait", flagsOf({ old_flag: "x" }), ["x"]],
    ["has such a trait in its last call", many, [undefined, null]],
  ])("%s", (_, flags, expected) => {
    expect(bodiesOf({ flags }, { removeTraits: ["old_flag"] }).map(({ traits }) => traits.old_flag)).toEqual(expected);
  });
});

describe("a queue message", () => {
  const [call] = map({ flags: flagsOf({ "f\uFFFE": "\uFFFF 🚩 \uD800 \\ud83d" }), identity: "u🚩" }).calls;

  it("has escapes for the two characters that SQS refuses, and for no other", () => {
    expect(toQueueText(call.body)).not.toMatch(/[\uFFFE\uFFFF]/);
    expect(toQueueText(call.body)).toContain("🚩");
  });

  it("is read as the call that was written", () => {
    expect(parseIdentifyCall(toQueueText(call.body))).toEqual(call);
  });

  it.each([
    ["hello", "a JSON object"],
    ["[]", "a JSON object"],
    ["{}", "userId or anonymousId, a string"],
    ['{"userId":"u"}', "messageId, a string"],
    ['{"userId":"u","messageId":"m"}', "timestamp, a date"],
    ['{"userId":"u","messageId":"m","timestamp":"t"}', "timestamp, a date"],
    ['{"userId":"u","messageId":"m","timestamp":"2026-11-23T12:00:00.000Z"}', "traits, an object"],
  ])("is unreadable if it is %s: expected %s", (body, expected) => {
    expect(() => parseIdentifyCall(body)).toThrow(new Error(`queue message: expected ${expected}`));
  });
});

describe("sentAt", () => {
  it.each([
    ["is the time of the attempt", NOON + 1, "2026-11-23T12:00:00.001Z"],
    ["is never before timestamp, because Segment would put the call into the future", NOON - 1, "2026-11-23T12:00:00.000Z"],
  ])("%s, and nothing else of the call changes", (_, nowMs, sentAt) => {
    const call = parseIdentifyCall(callBody());
    expect(JSON.parse(withSentAt(call, nowMs))).toEqual({ ...JSON.parse(callBody()), sentAt });
  });
});
