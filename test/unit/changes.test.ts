import {
  type Delivered,
  decodeDelivered,
  encodeDelivered,
  fingerprintsOf,
  isUnchanged,
  withDelivered,
} from "../../lambda/deliver/fingerprints";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { callBody } from "../cloud/events";

const source = { endpoint: "https://api.segment.io", writeKey: "key" };
const REFRESH = 3_600;
const NOW = 1_800_000_000;

const prints = (traits: Readonly<Record<string, unknown>>, from = source) =>
  fingerprintsOf(parseIdentifyCall(callBody({ traits })), from.endpoint, from.writeKey);
const nothing: Delivered = new Map();
const deliveredAfter = (traits: Readonly<Record<string, unknown>>, now = NOW, before = nothing) =>
  withDelivered(before, prints(traits), now, REFRESH);
const unchanged = (delivered: Delivered, traits: Readonly<Record<string, unknown>>, now = NOW) =>
  isUnchanged(delivered, prints(traits), now, REFRESH);

describe("isUnchanged", () => {
  it.each<[string, Record<string, unknown>, boolean]>([
    ["the same traits", { a: 1, b: "x" }, true],
    ["the same in another order", { b: "x", a: 1 }, true],
    ["fewer traits: an absent one says nothing", { b: "x" }, true],
    ["another value", { a: 2 }, false],
    ["the value with another type", { a: "1" }, false],
    ["one more trait", { a: 1, c: true }, false],
    ["a value under another name", { b: 1 }, false],
    ["no traits, which was never sent", {}, false],
  ])("%s", (_, traits, expected) => {
    expect(unchanged(deliveredAfter({ a: 1, b: "x" }), traits)).toBe(expected);
  });

  it("takes a set without traits for unchanged once one was sent", () => {
    expect(unchanged(deliveredAfter({}), {})).toBe(true);
    expect(unchanged(deliveredAfter({}), {}, NOW + REFRESH)).toBe(false);
  });

  it("sends again what is due, by the trait, and when the clock was set back", () => {
    const both = deliveredAfter({ b: 1 }, NOW + 100, deliveredAfter({ a: 1 }));
    expect(unchanged(both, { a: 1, b: 1 }, NOW + REFRESH - 1)).toBe(true);
    expect(unchanged(both, { a: 1 }, NOW + REFRESH)).toBe(false);
    expect(unchanged(both, { b: 1 }, NOW + REFRESH)).toBe(true);
    expect(unchanged(both, { b: 1 }, NOW - REFRESH)).toBe(false);
  });

  it("knows only the latest value: A, B, A differs each time", () => {
    const [a, b] = [{ f: "A" }, { f: "B" }];
    expect(unchanged(deliveredAfter(b, NOW, deliveredAfter(a)), a)).toBe(false);
  });
});

describe("fingerprintsOf", () => {
  it("are others for another source, another endpoint and the other kind of id", () => {
    const traits = { a: 1 };
    const anonymous = callBody({ traits }).replace('"userId"', '"anonymousId"');
    const all = [
      prints(traits),
      prints(traits, { ...source, writeKey: "other" }),
      prints(traits, { ...source, endpoint: "https://events.eu1.segmentapis.com" }),
      fingerprintsOf(parseIdentifyCall(anonymous), source.endpoint, source.writeKey),
    ];
    expect(new Set(all.flatMap((each) => [...each.keys(), ...each.values()])).size).toBe(12);
  });
});

describe("what is stored", () => {
  it("is read back as it was, 20 bytes per trait and for the source, and shows no name and no value", () => {
    const delivered = deliveredAfter({ plan: "gold", "ключ 🚩": "значение" });
    const bytes = encodeDelivered(delivered);
    expect(bytes).toHaveLength(60);
    expect(decodeDelivered(bytes)).toEqual(delivered);
    expect(bytes.toString("latin1")).not.toMatch(/plan|gold/);
  });

  it("holds 1,000 traits of a person in one item, and forgets rather than outgrow it", () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]));
    expect(unchanged(decodeDelivered(encodeDelivered(deliveredAfter(many(1_000)))), many(1_000))).toBe(true);
    expect(encodeDelivered(deliveredAfter(many(30_000))).length).toBeLessThan(400_000);
  });

  it("forgets what is due: it counts as new in any case", () => {
    expect(deliveredAfter({ b: 1 }, NOW + REFRESH, deliveredAfter({ a: 1 })).size).toBe(2);
  });

  it("forgets what was sent with another key: where both are of one source, it is older", () => {
    const old = deliveredAfter({ f: "A" });
    const both = withDelivered(old, prints({ f: "B" }, { ...source, writeKey: "new" }), NOW, REFRESH);
    expect([unchanged(old, { f: "A" }), unchanged(both, { f: "A" })]).toEqual([true, false]);
  });

  it("is nothing where it can't be read", () => {
    expect(decodeDelivered(Buffer.from("short")).size).toBe(0);
  });
});
