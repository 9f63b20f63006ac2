import { splitTraits } from "../../lambda/domain/split";
import type { Trait } from "../../lambda/domain/traits";

const traitsOf = (...values: readonly string[]): ReadonlyMap<string, Trait> =>
  new Map(values.map((value, index) => [`t${index}`, { value, fallback: true }]));

const partsOf = (traits: ReadonlyMap<string, Trait>, capacity: number) =>
  splitTraits(traits, capacity).parts.map(({ json }) => json);

describe("splitTraits", () => {
  // `"t0":"…"` is 7 bytes and its value, and a comma stands between two.
  it.each([
    ["of one byte a character", "x", 10],
    ["of two", "ж", 20],
    ["of three", "用", 30],
    ["of four", "🚩", 40],
  ])("fills a part to the last byte, with texts %s", (_, char, bytes) => {
    const traits = traitsOf(char.repeat(10), char.repeat(10));
    const both = 2 * (7 + bytes) + 1;
    expect(partsOf(traits, both)).toHaveLength(1);
    expect(partsOf(traits, both - 1)).toHaveLength(2);
  });

  it("counts bytes from the first trait on, once the bound no longer tells", () => {
    const traits = traitsOf("x".repeat(10), "用".repeat(10), "x".repeat(10));
    const all = 3 * 7 + 10 + 30 + 10 + 2;
    expect(partsOf(traits, all)).toHaveLength(1);
    expect(partsOf(traits, all - 1)).toEqual([
      `"t0":"${"x".repeat(10)}","t1":"${"用".repeat(10)}"`,
      `"t2":"${"x".repeat(10)}"`,
    ]);
  });

  it("closes a part at 299 traits", () => {
    const { parts } = splitTraits(traitsOf(...Array(299 * 2 + 1).fill("x")), 32_000);
    expect(parts.map(({ count }) => count)).toEqual([299, 299, 1]);
  });

  it("has one empty part for no traits", () => {
    expect(splitTraits(new Map(), 100)).toEqual({ parts: [{ json: "", count: 0 }], cut: [] });
  });

  it("sends the fallback for a value that no part can hold, and nothing where there is none", () => {
    const [key, value] = ["huge", "x".repeat(100)];
    const cut = [{ name: key, bytes: 102 }];
    const split = (fallback: Trait["fallback"]) => splitTraits(new Map([[key, { value, fallback }]]), 50);
    expect(split(false)).toEqual({ parts: [{ json: '"huge":false', count: 1 }], cut });
    expect(split(undefined)).toEqual({ parts: [{ json: "", count: 0 }], cut });
    const name = "n".repeat(60);
    expect(partsOf(new Map([[name, { value: "x", fallback: true }]]), 50)).toEqual([`"${name}":true`]);
  });
});
