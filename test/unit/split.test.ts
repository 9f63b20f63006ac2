import { capacityOf, toCalls } from "../../lambda/split";

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

describe("traits are split over calls:", () => {
  // `"t0":"…"` is 7 bytes and its value, and a comma stands between two.
  it.each([
    ["of one byte", "x", 10],
    ["of two bytes", "ж", 20],
    ["of three bytes", "用", 30],
    ["of four bytes", "🚩", 40],
  ])("a call is filled to the last byte, with characters %s", (_, char, bytes) => {
    const traits = traitsOf(char.repeat(10), char.repeat(10));
    const both = 2 * (7 + bytes) + 1;
    expect(partsOf(traits, both)).toHaveLength(1);
    expect(partsOf(traits, both - 1)).toEqual(traits);
  });

  it("a call has at most 299 traits", () => {
    const calls = toCalls(ENVELOPE, traitsOf(...Array(299 * 2 + 1).fill("x")), idOf);
    expect(calls.map(({ traitCount, messageId }) => [messageId, traitCount])).toEqual([
      ["id-1", 299],
      ["id-2", 299],
      ["id-3", 1],
    ]);
  });

  it("there is one call even without traits", () => {
    const body = '{"userId":"u","messageId":"id-1","traits":{}}';
    expect(toCalls(ENVELOPE, [], idOf)).toEqual([{ body, messageId: "id-1", identity: "u", receivedAtMs: 0, traitCount: 0 }]);
  });

  it("a trait that exceeds a call has a call of its own", () => {
    const traits = traitsOf("a", "x".repeat(100), "b");
    expect(partsOf(traits, 50)).toEqual(traits);
  });
});
