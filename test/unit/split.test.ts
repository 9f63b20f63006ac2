import { capacityOf, toCall, toCalls } from "../../lambda/split";

const ENVELOPE = { json: '"userId":"u"', identity: "u", receivedAtMs: 0, idLength: 5 };
const idOf = (part: number) => `id-${part}`;
const traitsOf = (...values: readonly string[]) => values.map((value, index) => `"t${index}":"${value}"`);
/** Leaves so many bytes to the traits of a call. */
const leaving = (bytes: number) => {
  const { json } = ENVELOPE;
  return { ...ENVELOPE, json: `${json},"context":"${"x".repeat(capacityOf(ENVELOPE) - bytes - ',"context":""'.length)}"` };
};
const partsOf = (traits: readonly string[], capacity: number) =>
  toCalls(leaving(capacity), traits, idOf).map(({ body }) => body.slice(body.indexOf('"traits":{') + 10, -2));

describe("toCalls", () => {
  // `"t0":"…"` is 7 bytes and its value, and a comma stands between two.
  it.each([
    ["of one byte per character", "x", 10],
    ["of two", "ж", 20],
    ["of three", "用", 30],
    ["of four", "🚩", 40],
  ])("fills a call to the last byte, with texts %s", (_, char, bytes) => {
    const traits = traitsOf(char.repeat(10), char.repeat(10));
    const both = 2 * (7 + bytes) + 1;
    expect(partsOf(traits, both)).toHaveLength(1);
    expect(partsOf(traits, both - 1)).toEqual(traits);
  });

  it("closes a call at 299 traits", () => {
    const calls = toCalls(ENVELOPE, traitsOf(...Array(299 * 2 + 1).fill("x")), idOf);
    expect(calls.map(({ traitCount, messageId }) => [messageId, traitCount])).toEqual([
      ["id-1", 299],
      ["id-2", 299],
      ["id-3", 1],
    ]);
  });

  it("has one call without traits for none", () => {
    const body = '{"userId":"u","messageId":"id-1","traits":{}}';
    expect(toCalls(ENVELOPE, [], idOf)).toEqual([{ body, messageId: "id-1", identity: "u", receivedAtMs: 0, traitCount: 0 }]);
  });

  it("gives a trait that exceeds a call one of its own", () => {
    const traits = traitsOf("a", "x".repeat(100), "b");
    expect(partsOf(traits, 50)).toEqual(traits);
  });
});

describe("toCall", () => {
  it("holds all traits, whatever their size", () => {
    const traits = traitsOf(..."x".repeat(400));
    expect(toCall(ENVELOPE, "all", traits)).toMatchObject({ messageId: "all", traitCount: 400, identity: "u" });
  });
});
