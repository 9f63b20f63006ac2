import { parseIdentifyCall, toQueueText, withSentAt } from "../../lambda/identify-call";
import { parseEvaluation } from "../../lambda/receive/evaluation";
import { type IdentifyOptions, toIdentifyCalls } from "../../lambda/receive/identify";
import { bytesOf, callBody, evaluationPayload, type FlagInput, flagPayload, NOON } from "../cloud/events";
import { identifyOptions } from "../support/fakes";

const receipt = { stackName: "FlagsmithToSegment-test", requestId: "JKJaXmPLvHcESHA=", receivedAtMs: NOON };

function map(
  flags: readonly FlagInput[],
  options: Partial<IdentifyOptions> = {},
  overrides: Readonly<Record<string, unknown>> = {},
  from = receipt,
) {
  const evaluation = parseEvaluation(bytesOf(evaluationPayload({ flags: flags.map(flagPayload), ...overrides })));
  if (evaluation.kind !== "evaluation") throw new Error("not an evaluation");
  return toIdentifyCalls(evaluation, from, { ...identifyOptions, ...options });
}

const parsed = (body: string) => JSON.parse(body);

describe("an evaluation", () => {
  it("becomes a call that is complete but for sentAt", () => {
    const { calls } = map([{ name: "dark_mode" }, { name: "max_items", value: 25 }]);
    expect(calls.map(({ body }) => parsed(body))).toEqual([
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
    expect(parsed(map([], { markActive: false }).calls[0].body).context.active).toBe(false);
    expect(parsed(map([]).calls[0].body).context).not.toHaveProperty("active");
  });

  it("has an anonymousId if its identity is anonymous and the option says so", () => {
    const identity = "5d41402abc4b2a76b9719d911017c592";
    const anonymous = parsed(map([], { anonymousIdentities: "anonymousId" }, { identity }).calls[0].body);
    expect(anonymous).toMatchObject({ anonymousId: identity });
    expect(anonymous).not.toHaveProperty("userId");
    expect(parsed(map([], {}, { identity }).calls[0].body)).toMatchObject({ userId: identity });
    expect(parsed(map([], { anonymousIdentities: "anonymousId" }).calls[0].body)).toMatchObject({ userId: "user-1" });
  });

  it("has another message id in each request, so that a flag may change back", () => {
    const again = map([], {}, {}, { ...receipt, requestId: "other" });
    expect(again.calls[0].messageId).not.toBe(map([]).calls[0].messageId);
  });

  it("has a hash in its message id if that would exceed 100 characters, and the id stays unique", () => {
    const ids = ["a", "b"].map((end) => {
      const from = { ...receipt, stackName: "S".repeat(128), requestId: `request-${end}` };
      return map([], {}, {}, from).calls[0].messageId;
    });
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id.length).toBeLessThanOrEqual(100);
  });

  it.each([
    [31_000, 0],
    [31_900, 1],
  ])("has at most 32,000 bytes with its envelope: of a value of %d bytes, %d is cut", (length, cuts) => {
    expect(map([{ name: "f", value: "x".repeat(length) }]).cut).toHaveLength(cuts);
  });

  it("has the state of a flag whose value is too large for any call, and names it", () => {
    const { calls, cut } = map([
      { name: "huge", value: "x".repeat(40_000) },
      { name: "next", value: 1 },
    ]);
    expect(calls.map(({ body }) => parsed(body).traits)).toEqual([{ huge: true, next: 1 }]);
    expect(cut).toEqual([{ name: "huge", bytes: 40_009 }]);
  });

  it("lacks a trait of Flagsmith that is too large, because it has no state", () => {
    const traits = [{ trait_key: "bio", trait_value: "x".repeat(40_000) }];
    const evaluation = parseEvaluation(bytesOf(evaluationPayload({ flags: [], traits })));
    if (evaluation.kind !== "evaluation") throw new Error("not an evaluation");
    const { calls, cut } = toIdentifyCalls(evaluation, receipt, { ...identifyOptions, selectsTrait: () => true });
    expect(parsed(calls[0].body).traits).toEqual({});
    expect(cut).toEqual([{ name: "bio", bytes: 40_008 }]);
  });

  it("may have a flag called __proto__", () => {
    expect(map([{ name: "__proto__", value: "v" }]).calls[0].body).toContain('"traits":{"__proto__":"v"}');
  });
});

describe("a queue message", () => {
  const [call] = map([{ name: "f\uFFFE", value: "\uFFFF 🚩 \uD800 \\ud83d" }], {}, { identity: "u🚩" }).calls;

  it("has escapes for the two characters that SQS refuses, and for no other", () => {
    expect(toQueueText(call.body)).not.toMatch(/[\uFFFE\uFFFF]/);
    expect(toQueueText(call.body)).toContain("🚩");
    expect(parsed(toQueueText(call.body))).toEqual(parsed(call.body));
  });

  it("is read as the call that was written", () => {
    expect(parseIdentifyCall(toQueueText(call.body))).toEqual(call);
  });
});

describe("a queue message is unreadable", () => {
  it.each([
    ["text", "hello", "queue message: expected a JSON object"],
    ["a list", "[]", "queue message: expected a JSON object"],
    ["no user", "{}", "queue message: expected userId or anonymousId, a string"],
    ["no messageId", '{"userId":"u"}', "queue message: expected messageId, a string"],
    ["no timestamp", '{"userId":"u","messageId":"m"}', "queue message: expected timestamp, a date"],
    [
      "a timestamp that is not a date",
      '{"userId":"u","messageId":"m","timestamp":"t"}',
      "queue message: expected timestamp, a date",
    ],
    [
      "no traits",
      '{"userId":"u","messageId":"m","timestamp":"2026-11-23T12:00:00.000Z"}',
      "queue message: expected traits, an object",
    ],
  ])("if it is or has %s", (_, body, message) => {
    expect(() => parseIdentifyCall(body)).toThrow(new Error(message));
  });
});

describe("sentAt", () => {
  it("is never before timestamp, because Segment would put the call into the future", () => {
    const sentAt = (now: number) => JSON.parse(withSentAt(parseIdentifyCall(callBody()), now)).sentAt;
    expect(sentAt(NOON - 600_000)).toBe("2026-11-23T12:00:00.000Z");
    expect(sentAt(NOON + 1)).toBe("2026-11-23T12:00:00.001Z");
  });

  it("is the time of the attempt, and nothing else of the call changes", () => {
    const call = parseIdentifyCall(callBody());
    expect(JSON.parse(withSentAt(call, NOON + 1))).toEqual({ ...JSON.parse(callBody()), sentAt: "2026-11-23T12:00:00.001Z" });
  });
});
