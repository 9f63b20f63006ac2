import { experimentEvents, fitVariations, MAX_BATCH_REQUEST_BYTES, requestOf, variationValue } from "../../lambda/experiments";
import { MAX_CALL_BYTES, parseIdentifyCall } from "../../lambda/identify-call";
import { resolveOptions } from "../../lambda/options";
import { parseEvaluation } from "../../lambda/receive/evaluation";
import { toIdentifyCalls } from "../../lambda/receive/identify";
import { compileSelection } from "../../lambda/receive/selection";
import {
  ATTRIBUTES,
  bytesOf,
  callBody,
  evaluationPayload,
  type FlagInput,
  flagPayload,
  NOON,
  queueRecord,
} from "../cloud/events";
import { setUpDeliver } from "../support/deliver";
import { answered, FakeRecords, FakeSegment, identifyOptions } from "../support/fakes";

const call = parseIdentifyCall(callBody());
const receipt = { stackName: "stack", requestId: "request", receivedAtMs: NOON };

/** What receive makes of these flags, with `experiments: ["checkout*"]`. */
function mapped(flags: readonly FlagInput[], options: Partial<typeof identifyOptions> = {}) {
  const evaluation = parseEvaluation(bytesOf(evaluationPayload({ flags: flags.map(flagPayload) })));
  if (evaluation.kind !== "evaluation") throw new Error("not an evaluation");
  const selectsExperiment = compileSelection({ include: ["checkout*"] });
  return toIdentifyCalls(evaluation, receipt, { ...identifyOptions, selectsExperiment, ...options });
}

const experimentsOf = (flags: readonly FlagInput[], options = {}) => JSON.parse(mapped(flags, options).experiments ?? "null");

describe("receive writes the variations of an evaluation", () => {
  it.each<[string, readonly FlagInput[], unknown]>([
    [
      "the value of each enabled flag that the option lists",
      [
        { name: "checkout", value: "b" },
        { name: "other", value: "c" },
      ],
      { checkout: "b" },
    ],
    [
      "as a string, whatever its type",
      [
        { name: "checkout", value: 3 },
        { name: "checkout-2", value: false },
      ],
      { checkout: "3", "checkout-2": "false" },
    ],
    ["true for a flag without a value", [{ name: "checkout" }], { checkout: "true" }],
    ["nothing for a disabled flag", [{ name: "checkout", enabled: false, value: "b" }], null],
    [
      "the later one of two flags with one name",
      [
        { name: "checkout", value: "a" },
        { name: "checkout", value: "b" },
      ],
      { checkout: "b" },
    ],
    [
      "nothing if the later one is disabled",
      [
        { name: "checkout", value: "a" },
        { name: "checkout", enabled: false },
      ],
      null,
    ],
  ])("%s", (_, flags, expected) => {
    expect(experimentsOf(flags)).toEqual(expected);
  });

  it("of flags that option flags excludes: none", () => {
    expect(experimentsOf([{ name: "checkout", value: "b" }], { selectsFlag: () => false })).toBeNull();
  });

  it("with the flag's own name, whatever the prefix and its reserved names", () => {
    expect(experimentsOf([{ name: "checkout", value: "b" }], { traitPrefix: "ff_" })).toEqual({ checkout: "b" });
  });

  it("and keeps a flag called __proto__", () => {
    const { experiments } = mapped([{ name: "__proto__", value: "b" }], { selectsExperiment: () => true });
    expect(experiments).toBe('{"__proto__":"b"}');
  });

  it("up to 200 characters, and the beginning and a hash of a longer value", () => {
    expect(variationValue("x".repeat(200))).toBe("x".repeat(200));
    // printf 'x%.0s' $(seq 201) | sha256sum
    expect(variationValue("x".repeat(201))).toMatch(/^x{100}…[0-9a-f]{8}$/);
    expect(variationValue(`${"x".repeat(200)}1`)).not.toBe(variationValue(`${"x".repeat(200)}2`));
  });

  it("as far as they fit into one batch request, and reports the rest", () => {
    const variations = Array.from({ length: 2_000 }, (_, i) => ({
      flag: `checkout-${i}`,
      value: "v".repeat(200),
      since: "m-1",
    }));
    const { kept, cut } = fitVariations(call, variations);
    expect(kept.length + cut.length).toBe(2_000);
    expect(cut.length).toBeGreaterThan(0);
    const { body } = requestOf(call, experimentEvents(call, kept), NOON);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_BATCH_REQUEST_BYTES - MAX_CALL_BYTES);
  });

  it("without an event of more than 32,000 bytes", () => {
    const variation = { flag: "f".repeat(12_000), value: "ж".repeat(200), since: "m-1" };
    const large = parseIdentifyCall(callBody({ identity: "u".repeat(11_000) }));
    expect(fitVariations(large, [variation])).toMatchObject({ kept: [], cut: [{ name: variation.flag }] });
  });
});

describe("the event", () => {
  const variation = { flag: "checkout", value: "b", since: "m-1" };
  const eventOf = (from = call, given = variation) => JSON.parse(experimentEvents(from, [given])[0] ?? "");

  it("is that of Segment's specification, with the user, the context and the time of the call", () => {
    expect(eventOf()).toEqual({
      type: "track",
      event: "Experiment Viewed",
      userId: "user-1",
      properties: { experiment_id: "checkout", experiment_name: "checkout", variation_id: "b", variation_name: "b" },
      context: { library: { name: "flagsmith-to-segment", version: "1.0.0" } },
      timestamp: "2026-11-23T12:00:00.000Z",
      messageId: expect.stringMatching(/^[\w-]{22}$/),
    });
  });

  it("has the anonymousId of an anonymous call", () => {
    const anonymous = parseIdentifyCall(callBody().replace('"userId"', '"anonymousId"'));
    expect(eventOf(anonymous)).toMatchObject({ anonymousId: "user-1" });
    expect(eventOf(anonymous)).not.toHaveProperty("userId");
  });

  it("has an id that depends on the flag and on the call since which the variation has had its value", () => {
    const later = parseIdentifyCall(callBody({ messageId: "m-2" }));
    expect(eventOf(later).messageId).toBe(eventOf().messageId);
    expect(eventOf(call, { ...variation, since: "m-2" }).messageId).not.toBe(eventOf().messageId);
    expect(eventOf(call, { ...variation, flag: "other" }).messageId).not.toBe(eventOf().messageId);
  });

  it("is sent in one batch with the identify call, with the time of the attempt", () => {
    const { path, body } = requestOf(call, experimentEvents(call, [variation]), NOON + 5);
    expect(path).toBe("/v1/batch");
    expect(JSON.parse(body)).toEqual({
      batch: [{ type: "identify", ...JSON.parse(call.body) }, eventOf()],
      sentAt: "2026-11-23T12:00:00.005Z",
    });
  });
});

describe("deliver", () => {
  const attribute = (variations: object) => ({ DataType: "String", StringValue: JSON.stringify(variations) });
  let number = 0;
  const evaluation = (plan: string | undefined, input: object = {}) => {
    number++;
    const attributes = plan === undefined ? ATTRIBUTES : { ...ATTRIBUTES, experiments: attribute({ checkout: plan }) };
    const about = { id: String(number), messageId: `m-${number}-1`, sequence: number };
    return queueRecord({ ...about, traits: { checkout: plan ?? false }, attributes, ...input });
  };
  const setUp = (segment = new FakeSegment(), records = new FakeRecords(), overrides = {}) => {
    const changes = { records, endpoint: "https://s", refreshSeconds: 3_600 };
    return { ...setUpDeliver({ segment, changes, ...overrides }), records };
  };
  const eventsOf = (segment: FakeSegment) =>
    segment.calls.flatMap(({ events }) => events.map((event) => JSON.parse(event).properties.variation_id));
  const idsOf = (segment: FakeSegment) =>
    segment.calls.flatMap(({ events }) => events.map((event) => JSON.parse(event).messageId));

  it("sends three events for A, A, B, A", async () => {
    const { deliver, segment, log } = setUp();
    for (const plan of ["A", "A", "B", "A"]) await deliver(evaluation(plan));
    expect(eventsOf(segment)).toEqual(["A", "B", "A"]);
    expect(log.entries.map(({ event, experiments }) => [event, experiments])).toEqual([
      ["delivered", 1],
      ["unchanged", undefined],
      ["delivered", 1],
      ["delivered", 1],
    ]);
  });

  it("sends no event for a flag that was disabled in between", async () => {
    const { deliver, segment } = setUp();
    for (const plan of ["A", undefined, "A"]) await deliver(evaluation(plan));
    expect(eventsOf(segment)).toEqual(["A"]);
  });

  it("sends the event once more after the refresh, while the user comes back", async () => {
    const { deliver, segment, clock } = setUp();
    await deliver(evaluation("A"));
    clock.nowMs += 3_600_000;
    await deliver(evaluation("A"));
    expect(eventsOf(segment)).toEqual(["A", "A"]);
  });

  it("sends a new variation although all traits are unchanged", async () => {
    const { deliver, segment } = setUp();
    await deliver(evaluation(undefined, { traits: { plan: 1 } }));
    await deliver(evaluation("A", { traits: { plan: 1 } }));
    expect(eventsOf(segment)).toEqual(["A"]);
  });

  it("sends no event without forward: changes", async () => {
    const { deliver, segment } = setUpDeliver();
    await deliver(evaluation("A"));
    expect(segment.calls).toMatchObject([{ events: [] }]);
  });

  it("repeats an event under the same id, after a failure and merged", async () => {
    let status = 503;
    const { deliver, segment } = setUp(new FakeSegment(() => answered(status)));
    const flood = Array.from({ length: 5 }, () => evaluation("A"));
    await deliver(...flood);
    await deliver(...flood.slice(0, 1));
    status = 200;
    await deliver(...flood);
    expect(new Set(idsOf(segment)).size).toBe(1);
    expect(eventsOf(segment)).toEqual(["A", "A", "A"]);
  });

  it("sends a merged backlog's last variation of each flag, under the id of the call since which it is so", async () => {
    const { deliver, segment, log } = setUp();
    const flood = ["A", "B", "A", "C", "C"].map((plan) => evaluation(plan));
    await deliver(...flood);
    expect(eventsOf(segment)).toEqual(["C"]);
    const single = setUp();
    await single.deliver(flood[3] ?? evaluation("C"));
    expect(idsOf(segment)).toEqual(idsOf(single.segment));
    expect(log.entries.map(({ experiments }) => experiments)).toEqual([undefined, undefined, undefined, undefined, 1]);
  });

  it("records the event of a message that was received before, but not its traits", async () => {
    const { deliver, segment, log } = setUp();
    await deliver(evaluation("A", { receiveCount: 2 }));
    await deliver(evaluation("A"));
    expect(segment.calls.map(({ events }) => events.length)).toEqual([1, 0]);
    expect(log.entries.map(({ event }) => event)).toEqual(["delivered", "delivered"]);
  });

  it("sends an event again that could not be recorded", async () => {
    let failing = true;
    const { deliver, segment } = setUp(undefined, new FakeRecords((operation) => failing && operation === "write"));
    await deliver(evaluation("A"));
    failing = false;
    await deliver(evaluation("A"));
    expect(eventsOf(segment)).toEqual(["A", "A"]);
  });

  it("keeps the variations of a dead letter, so that a redrive sends their events", async () => {
    const { deliver, deadLetterQueue } = setUp(new FakeSegment(() => answered(400)));
    await deliver(evaluation("A", { sentAt: NOON - 13 * 86_400_000 }));
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "expired", experiments: '{"checkout":"A"}' } }]);
  });

  it("logs the events of a dry run with the call", async () => {
    const { deliver, log } = setUp(undefined, undefined, { dryRun: true });
    await deliver(evaluation("A"));
    expect(log.entry).toMatchObject({
      event: "dry-run",
      call: { batch: [{ type: "identify" }, { event: "Experiment Viewed" }] },
    });
  });

  it("takes an attribute that can't be read for no variations", async () => {
    const { deliver, segment } = setUp();
    await deliver(
      evaluation(undefined, { attributes: { ...ATTRIBUTES, experiments: { DataType: "String", StringValue: "{" } } }),
    );
    expect(segment.calls).toMatchObject([{ events: [] }]);
  });
});

describe("option removeTraits", () => {
  const removing = (flags: readonly FlagInput[], removeTraits = ["old_flag"]) =>
    mapped(flags, { removeTraits }).calls.map(({ body }) => JSON.parse(body).traits);

  it("sets these traits to null in each evaluation", () => {
    expect(removing([{ name: "dark_mode" }])).toEqual([{ dark_mode: true, old_flag: null }]);
  });

  it("leaves a trait alone that the evaluation sets", () => {
    expect(removing([{ name: "old_flag", value: "x" }])).toEqual([{ old_flag: "x" }]);
  });

  it("sets them in the last call of a large evaluation", () => {
    const traits = removing(Array.from({ length: 400 }, (_, i) => ({ name: `f${i}` })));
    expect(traits.map((each) => "old_flag" in each)).toEqual([false, true]);
  });

  it("is none by default", () => {
    expect(resolveOptions({}).removeTraits).toEqual([]);
  });
});
