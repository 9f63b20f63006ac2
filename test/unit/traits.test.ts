import { parseEvaluation } from "../../lambda/receive/evaluation";
import { compileSelection } from "../../lambda/receive/selection";
import { type MappingOptions, toTraits } from "../../lambda/receive/traits";
import { bytesOf, evaluationPayload, type FlagInput, flagPayload } from "../cloud/events";
import { identifyOptions } from "../support/fakes";

function map(flags: readonly FlagInput[], options: Partial<MappingOptions> = {}, rest: Readonly<Record<string, unknown>> = {}) {
  const body = bytesOf(evaluationPayload({ flags: flags.map(flagPayload), ...rest }));
  const evaluation = parseEvaluation(body);
  if (evaluation.kind !== "evaluation") throw new Error("not an evaluation");
  const { traits, ...notes } = toTraits(evaluation, { ...identifyOptions, ...options });
  return { entries: [...traits].map(([name, { value }]) => [name, value]), ...notes };
}

describe("a flag, with traitStyle: flagsmith,", () => {
  it.each([
    [{ enabled: true, value: "v" }, "v"],
    [{ enabled: true, value: 0 }, 0],
    [{ enabled: true, value: "" }, ""],
    [{ enabled: true, value: false }, false],
    [{ enabled: true, value: null }, true],
    [{ enabled: false, value: "v" }, false],
    [{ enabled: false, value: null }, false],
  ])("%j becomes %j", (flag, expected) => {
    expect(map([{ name: "f", ...flag }]).entries).toEqual([["f", expected]]);
  });

  it("is renamed if Segment reserves its name for users", () => {
    const reserved =
      "email name firstName lastName phone age address avatar birthday company createdAt description gender id title username website";
    const names = reserved.split(" ");
    const { entries, renamed } = map(names.map((name) => ({ name })));
    expect(entries).toEqual(names.map((name) => [`flag_${name}`, true]));
    expect(renamed).toEqual(names.map((name) => `flag_${name}`));
  });

  it("is renamed only if its name with the prefix is reserved", () => {
    expect(map([{ name: "email" }], { traitPrefix: "ff_" })).toMatchObject({ entries: [["ff_email", true]], renamed: [] });
    expect(map([{ name: "mail" }], { traitPrefix: "e" })).toMatchObject({ entries: [["flag_email", true]] });
  });

  it("wins over an earlier flag with the same name, which is reported", () => {
    const { entries, overwritten } = map([
      { name: "email", value: "first" },
      { name: "flag_email", value: "second" },
    ]);
    expect(entries).toEqual([["flag_email", "second"]]);
    expect(overwritten).toEqual(["flag_email"]);
  });

  it("is sent only if its name without the prefix is selected", () => {
    const selectsFlag = compileSelection({ include: ["beta_*", "x"], exclude: ["*_off"] });
    const names = ["beta_a", "beta_off", "x", "xy"].map((name) => ({ name }));
    expect(map(names, { selectsFlag, traitPrefix: "p_" }).entries).toEqual([
      ["p_beta_a", true],
      ["p_x", true],
    ]);
  });
});

describe("a flag, with traitStyle: typed,", () => {
  it.each([
    [
      { enabled: true, value: "v" },
      [
        ["f", true],
        ["f_value", "v"],
      ],
    ],
    [
      { enabled: true, value: 0 },
      [
        ["f", true],
        ["f_value", 0],
      ],
    ],
    [
      { enabled: false, value: "v" },
      [
        ["f", false],
        ["f_value", null],
      ],
    ],
    [{ enabled: true, value: null }, [["f", true]]],
    [{ enabled: false, value: null }, [["f", false]]],
  ])("%j becomes %j", (flag, expected) => {
    expect(map([{ name: "f", ...flag }], { traitStyle: "typed" }).entries).toEqual(expected);
  });

  it("gives both traits if an earlier flag has the same name", () => {
    const flags = [
      { name: "f", value: "old" },
      { name: "f", value: null },
    ];
    const { entries, overwritten } = map(flags, { traitStyle: "typed" });
    expect(entries).toEqual([["f", true]]);
    expect(overwritten).toEqual(["f"]);
  });

  it("is renamed in both traits if its name is reserved", () => {
    expect(map([{ name: "email", value: 1 }], { traitStyle: "typed" }).entries).toEqual([
      ["flag_email", true],
      ["flag_email_value", 1],
    ]);
  });
});

describe("beside flags,", () => {
  const traits = [
    { trait_key: "plan", trait_value: "gold" },
    { trait_key: "email", trait_value: "a@b.example" },
  ];

  it("Flagsmith's traits are sent only if they are selected", () => {
    expect(map([], {}, { traits }).entries).toEqual([]);
    expect(map([], { selectsTrait: (key) => key === "plan" }, { traits }).entries).toEqual([["plan", "gold"]]);
  });

  it("Flagsmith's traits keep their names, and a flag of the same name wins", () => {
    const options = { selectsTrait: () => true, traitPrefix: "" };
    expect(map([{ name: "plan", value: 1 }], options, { traits })).toMatchObject({
      entries: [
        ["plan", 1],
        ["email", "a@b.example"],
      ],
      overwritten: ["plan"],
      renamed: [],
    });
  });

  it("segments are sent sorted and distinct, without those of Flagsmith's experiments", () => {
    const segments = ["b", "a", "experiment-7-rollout", "b", "experiment-x-rollout"].map((name) => ({ name, member: true }));
    expect(map([], { segments: true }, { segments }).entries).toEqual([
      ["flagsmith_segments", ["a", "b", "experiment-x-rollout"]],
    ]);
    expect(map([], { segments: true }).entries).toEqual([["flagsmith_segments", []]]);
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
