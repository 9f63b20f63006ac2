import { experimentEvents, fitVariations, parseVariations, requestOf, variationValue } from "../../lambda/experiments";
import { parseIdentifyCall } from "../../lambda/identify-call";
import type { Flag } from "../../lambda/receive/evaluation";
import { toIdentifyCalls } from "../../lambda/receive/identify";
import { compileSelection } from "../../lambda/receive/selection";
import { ATTRIBUTES, callBody, NOON, queueRecord } from "../cloud/events";
import { changesOf, setUpDeliver, withVariation } from "../support/deliver";
import { evaluationOf, type FakeSegment, flagsOf, identifyOptions } from "../support/fakes";

const call = parseIdentifyCall(callBody());
const variation = { flag: "checkout", value: "b", since: "m-1" };

describe("receive writes the variations of an evaluation", () => {
  const receipt = { stackName: "stack", requestId: "request", receivedAtMs: NOON };
  /** The attribute of the message, with `experiments: ["checkout*", "__proto__"]`. */
  const experimentsOf = (flags: readonly Flag[], options: Partial<typeof identifyOptions> = {}) => {
    const selectsExperiment = compileSelection({ include: ["checkout*", "__proto__"] });
    return toIdentifyCalls(evaluationOf({ flags }), receipt, { ...identifyOptions, selectsExperiment, ...options }).experiments;
  };
  const disabled = { name: "checkout", enabled: false, value: "b" };

  it.each<[string, readonly Flag[], string | undefined]>([
    ["the value of each flag that the option lists", flagsOf({ checkout: "b", other: "c" }), '{"checkout":"b"}'],
    ["as a string", flagsOf({ checkout: 3, "checkout-2": false }), '{"checkout":"3","checkout-2":"false"}'],
    ["true for a flag without a value", flagsOf({ checkout: null }), '{"checkout":"true"}'],
    ["nothing for a disabled flag", [disabled], undefined],
    ["the later one of two flags with one name", [disabled, ...flagsOf({ checkout: "c" })], '{"checkout":"c"}'],
    ["nothing if the later one is disabled", [...flagsOf({ checkout: "c" }), disabled], undefined],
    ["of a flag called __proto__", flagsOf({ ["__proto__"]: "b" }), '{"__proto__":"b"}'],
  ])("%s", (_, flags, expected) => {
    expect(experimentsOf(flags)).toBe(expected);
  });

  it("of selected flags only, under the flag's own name", () => {
    const flags = flagsOf({ checkout: "b", "checkout-2": "c" });
    const options = { selectsFlag: (name: string) => name === "checkout", traitPrefix: "ff_" };
    expect(experimentsOf(flags, options)).toBe('{"checkout":"b"}');
  });

  it("up to 200 characters, and the beginning and a hash of a longer value", () => {
    expect(variationValue("x".repeat(200))).toBe("x".repeat(200));
    expect(variationValue("x".repeat(201))).toMatch(/^x{100}…[0-9a-f]{8}$/);
    expect(variationValue(`${"x".repeat(200)}1`)).not.toBe(variationValue(`${"x".repeat(200)}2`));
  });

  it("as far as they fit into one batch request, and reports the rest", () => {
    const variations = Array.from({ length: 2_000 }, (_, i) => ({ ...variation, flag: `f-${i}`, value: "v".repeat(200) }));
    const { kept, cut } = fitVariations(call, variations);
    expect(kept.length + cut.length).toBe(2_000);
    expect(cut.length).toBeGreaterThan(0);
    const { body } = requestOf(call, experimentEvents(call, kept), NOON);
    // Segment accepts 500 KB, and any call may have 32,000 bytes.
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(500_000 - 32_000);
  });

  it("without an event of more than 32,000 bytes", () => {
    const long = "f".repeat(11_900);
    const evaluation = evaluationOf({ identity: "u".repeat(11_000), flags: flagsOf({ [long]: "ж".repeat(200) }) });
    const { experiments, cut } = toIdentifyCalls(evaluation, receipt, { ...identifyOptions, selectsExperiment: () => true });
    expect([experiments, cut]).toEqual([undefined, [{ name: long, bytes: expect.any(Number) }]]);
  });
});

it("an attribute that can't be read has no variations", () => {
  expect(parseVariations("{", "m-1")).toEqual([]);
});

describe("the event", () => {
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
  let number = 0;
  /** An evaluation with this variation. undefined = the flag is disabled. Its trait, of the same name, never changes. */
  const evaluation = (checkout: string | undefined, receiveCount = 1) => {
    number++;
    const attributes = checkout === undefined ? ATTRIBUTES : withVariation(checkout);
    const traits = { checkout: true };
    return queueRecord({ id: String(number), messageId: `m-${number}-1`, sequence: number, attributes, receiveCount, traits });
  };
  const eventsOf = (segment: FakeSegment) => segment.calls.flatMap(({ events }) => events.map((event) => JSON.parse(event)));
  const variationsOf = (segment: FakeSegment) => eventsOf(segment).map(({ properties }) => properties.variation_id);

  it("sends an event for each new variation, and none for a flag that was disabled in between", async () => {
    const { deliver, segment, log } = setUpDeliver({ changes: changesOf() });
    for (const checkout of ["A", "A", "B", undefined, "B", "A"]) await deliver(evaluation(checkout));
    expect(variationsOf(segment)).toEqual(["A", "B", "A"]);
    expect(log.entries.map(({ event, experiments }) => [event, experiments])).toEqual([
      ["delivered", 1],
      ["unchanged", undefined],
      ["delivered", 1],
      ["unchanged", undefined],
      ["unchanged", undefined],
      ["delivered", 1],
    ]);
  });

  it("sends no event without forward: changes", async () => {
    const { deliver, segment } = setUpDeliver();
    await deliver(evaluation("A"));
    expect(segment.calls).toMatchObject([{ events: [] }]);
  });

  it("sends the event of a merged backlog under the same id as singly or redriven, and counts it once", async () => {
    const flood = Array.from({ length: 5 }, () => evaluation("A"));
    const merged = setUpDeliver({ changes: changesOf() });
    await merged.deliver(...flood);
    const single = setUpDeliver({ changes: changesOf() });
    await single.deliver(...flood.slice(0, 1).map((record) => ({ ...record, messageId: "redriven" })));
    expect(variationsOf(merged.segment)).toEqual(["A"]);
    expect(eventsOf(merged.segment)).toEqual(eventsOf(single.segment));
    expect(merged.log.entries.map(({ experiments }) => experiments)).toEqual([...Array(4).fill(undefined), 1]);
  });

  it("records the event of a message that was received before, but not its traits", async () => {
    const { deliver, segment } = setUpDeliver({ changes: changesOf() });
    await deliver(evaluation("A", 2));
    await deliver(evaluation("A"));
    expect(segment.calls.map(({ events }) => events.length)).toEqual([1, 0]);
  });
});
