import { splitTraits } from "../../lambda/split";

const traitsOf = (...values: readonly string[]) => values.map((value, index) => `"t${index}":"${value}"`);
const partsOf = (traits: readonly string[], capacity: number) => splitTraits(traits, capacity).map(({ json }) => json);

describe("splitTraits", () => {
  // `"t0":"…"` is 7 bytes and its value, and a comma stands between two.
  it.each([
    ["of one byte per character", "x", 10],
    ["of two", "ж", 20],
    ["of three", "用", 30],
    ["of four", "🚩", 40],
  ])("fills a part to the last byte, with texts %s", (_, char, bytes) => {
    const traits = traitsOf(char.repeat(10), char.repeat(10));
    const both = 2 * (7 + bytes) + 1;
    expect(partsOf(traits, both)).toHaveLength(1);
    expect(partsOf(traits, both - 1)).toEqual(traits);
  });

  it("closes a part at 299 traits", () => {
    const parts = splitTraits(traitsOf(...Array(299 * 2 + 1).fill("x")), 32_000);
    expect(parts.map(({ count }) => count)).toEqual([299, 299, 1]);
  });

  it("has one empty part for no traits", () => {
    expect(splitTraits([], 100)).toEqual([{ json: "", count: 0 }]);
  });

  it("gives a trait that exceeds a part one of its own", () => {
    const traits = traitsOf("a", "x".repeat(100), "b");
    expect(partsOf(traits, 50)).toEqual(traits);
  });
});
