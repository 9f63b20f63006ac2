import type { Evaluation, Flag, Value } from "../../lambda/receive/evaluation";
import { compileSelection } from "../../lambda/receive/selection";
import { type MappingOptions, toTraits } from "../../lambda/receive/traits";
import { evaluationOf, flagsOf, identifyOptions } from "../support/fakes";

function map(flags: readonly Flag[], options: Partial<MappingOptions> = {}, rest: Partial<Evaluation> = {}) {
  const { traits, ...notes } = toTraits(evaluationOf({ flags, ...rest }), { ...identifyOptions, ...options });
  return { traits: Object.fromEntries([...traits].map(([name, { value }]) => [name, value])), ...notes };
}

const typed = { traitStyle: "typed" } as const;

describe("a flag", () => {
  it.each<[boolean, Value, unknown, object]>([
    [true, "v", "v", { f: true, f_value: "v" }],
    [true, 0, 0, { f: true, f_value: 0 }],
    [true, "", "", { f: true, f_value: "" }],
    [true, false, false, { f: true, f_value: false }],
    [true, null, true, { f: true }],
    [false, "v", false, { f: false, f_value: null }],
    [false, null, false, { f: false }],
  ])(
    "that is enabled: %j, with value %j, becomes %j, and %j with traitStyle: typed",
    (enabled, value, expected, expectedTyped) => {
      const flags = [{ name: "f", enabled, value }];
      expect(map(flags).traits).toEqual({ f: expected });
      expect(map(flags, typed).traits).toEqual(expectedTyped);
    },
  );

  const reserved =
    "email name firstName lastName phone age address avatar birthday company createdAt description gender id title username website";

  it.each(reserved.split(" "))("is renamed if Segment reserves its name for users: %s", (name) => {
    const renamed = [`flag_${name}`];
    expect(map(flagsOf({ [name]: null }))).toMatchObject({ traits: { [`flag_${name}`]: true }, renamed });
    const both = { [`flag_${name}`]: true, [`flag_${name}_value`]: 1 };
    expect(map(flagsOf({ [name]: 1 }), typed)).toMatchObject({ traits: both, renamed });
  });

  it("is renamed only if its name with the prefix is reserved", () => {
    expect(map(flagsOf({ email: null }), { traitPrefix: "ff_" })).toMatchObject({ traits: { ff_email: true }, renamed: [] });
    expect(map(flagsOf({ mail: null }), { traitPrefix: "e" })).toMatchObject({ traits: { flag_email: true } });
  });

  it("wins over an earlier flag with the same name, which is reported", () => {
    const flags = flagsOf({ email: "first", flag_email: null });
    expect(map(flags)).toMatchObject({ traits: { flag_email: true }, overwritten: ["flag_email"] });
    expect(map(flags, typed)).toEqual({ traits: { flag_email: true }, overwritten: ["flag_email"], renamed: ["flag_email"] });
  });

  it("is sent only if its name without the prefix is selected", () => {
    const selectsFlag = compileSelection({ include: ["beta_*", "x"], exclude: ["*_off"] });
    const flags = flagsOf({ beta_a: null, beta_off: null, x: null, xy: null });
    expect(map(flags, { selectsFlag, traitPrefix: "p_" }).traits).toEqual({ p_beta_a: true, p_x: true });
  });
});

describe("beside flags,", () => {
  const traits = Object.entries({ plan: "gold", email: "a@b.example" }).map(([key, value]) => ({ key, value }));

  it("Flagsmith's traits are sent only if they are selected", () => {
    expect(map([], {}, { traits }).traits).toEqual({});
    expect(map([], { selectsTrait: (key) => key === "plan" }, { traits }).traits).toEqual({ plan: "gold" });
  });

  it("Flagsmith's traits keep their names, and a flag of the same name wins", () => {
    expect(map(flagsOf({ an: 1 }), { selectsTrait: () => true, traitPrefix: "pl" }, { traits })).toEqual({
      traits: { plan: 1, email: "a@b.example" },
      overwritten: ["plan"],
      renamed: [],
    });
  });

  it("segments are sent sorted and distinct, without those of Flagsmith's experiments", () => {
    const others = ["experiment-7-rollout-b", "experiment-x-rollout", "my-experiment-7-rollout"];
    const segments = ["b", "a", "experiment-7-rollout", "b", ...others];
    expect(map([], { segments: true }, { segments }).traits).toEqual({ flagsmith_segments: ["a", "b", ...others] });
    expect(map([], { segments: true }).traits).toEqual({ flagsmith_segments: [] });
  });

  it("segments win over a flag that is named like their trait", () => {
    const overwritten = ["flagsmith_segments"];
    expect(map(flagsOf({ flagsmith_segments: 1 }), { segments: true })).toMatchObject({
      traits: { flagsmith_segments: [] },
      overwritten,
    });
  });
});

describe("a selection", () => {
  it.each([
    [{}, "anything", true],
    [{ include: [] }, "anything", false],
    [{ include: ["a.b"] }, "axb", false],
    [{ include: ["(*)"] }, "(x)", true],
    [{ include: ["a*z"] }, "a\n🚩z", true],
    [{ include: ["a*"], exclude: ["ab"] }, "ab", false],
  ])("%j selects %j: %s", (selection, name, expected) => {
    expect(compileSelection(selection)(name)).toBe(expected);
  });
});
