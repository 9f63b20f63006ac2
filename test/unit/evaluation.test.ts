import { isAnonymous, parseEvaluation } from "../../lambda/receive/evaluation";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { evaluations, fixture } from "../support/fixtures";

const parse = (overrides: Readonly<Record<string, unknown>>) => parseEvaluation(bytesOf(evaluationPayload(overrides)));

describe("parseEvaluation", () => {
  it.each(evaluations)("reads $name", ({ name, expected }) => {
    expect(parseEvaluation(fixture(name))).toMatchObject({ kind: "evaluation", identity: expected.userId });
  });

  it("needs no more than identity, flag name, state and value", () => {
    const body = '{"identity": "u", "flags": [{"feature": {"name": "f"}, "enabled": true, "feature_state_value": 0}]}';
    expect(parseEvaluation(Buffer.from(body))).toEqual({
      kind: "evaluation",
      identity: "u",
      environment: undefined,
      flags: [{ name: "f", enabled: true, value: 0 }],
      traits: [],
      segments: [],
    });
  });

  it("takes the environment's number from the first flag that has one", () => {
    const bare = { ...flagPayload({ name: "a" }), environment: undefined };
    expect(parse({ flags: [bare, flagPayload({ name: "b" })] })).toMatchObject({ environment: 23 });
  });

  it("reads own traits but transient ones, and segments of which the identity is a member", () => {
    const traits = [
      { trait_key: "plan", trait_value: "gold", transient: false },
      { trait_key: "cart", trait_value: 3, transient: true },
      { id: 1, trait_key: "age", trait_value: 7 },
    ];
    const segments = [
      { id: 1, name: "beta", member: true },
      { id: 2, name: "churned", member: false },
    ];
    expect(parse({ traits, segments })).toMatchObject({
      traits: [
        { key: "plan", value: "gold" },
        { key: "age", value: 7 },
      ],
      segments: ["beta"],
    });
  });

  it("takes own traits and segments that are no lists for none", () => {
    expect(parse({ traits: "none", segments: 1 })).toMatchObject({ traits: [], segments: [] });
  });

  it("counts a number beyond a double as null", () => {
    const body = '{"identity":"u","flags":[{"feature":{"name":"f"},"enabled":true,"feature_state_value":1e999}]}';
    expect(parseEvaluation(Buffer.from(body))).toMatchObject({ flags: [{ value: null }] });
  });

  it.each(["env-flag-updated.json", "org-audit-log-created-test-button.json"])(
    "knows %s for another event of Flagsmith's",
    (name) => {
      expect(parseEvaluation(fixture(`not-identity/${name}`))).toMatchObject({ kind: "other" });
    },
  );

  const auditLog = {
    author: { id: 1 },
    created_date: "2026-11-25T18:20:49.798637Z",
    environment: null,
    log: "New Flag created",
    project: { id: 1 },
    related_object_id: 6,
    related_object_type: "FEATURE",
  };

  it("knows the audit log's flat form, by four of its fields", () => {
    const { author, log, project, environment } = auditLog;
    for (const body of [auditLog, { author, log, project, environment }]) {
      expect(parseEvaluation(bytesOf(body))).toEqual({ kind: "other", eventType: "AUDIT_LOG_CREATED" });
    }
  });

  it("does not take for it what has three of them, or an identity", () => {
    const { author, log, project } = auditLog;
    for (const body of [
      { author, log, project },
      { ...auditLog, identity: "" },
    ]) {
      expect(() => parseEvaluation(bytesOf(body))).toThrow("identity: expected a non-empty string");
    }
  });

  const flag = (overrides: Readonly<Record<string, unknown>>) => ({
    flags: [flagPayload({ name: "ok" }), { ...flagPayload({ name: "f" }), ...overrides }],
  });

  it.each([
    ["no identity", { identity: undefined }, "identity: expected a non-empty string, got nothing"],
    ["an empty identity", { identity: "" }, "identity: expected a non-empty string, got an empty string"],
    ["a number for an identity", { identity: 7 }, "identity: expected a non-empty string, got a value of type number"],
    ["an endless identity", { identity: "x".repeat(12_000) }, "identity: expected at most 12000 bytes"],
    ["no flags", { flags: undefined }, "flags: expected an array, got nothing"],
    ["an object for flags", { flags: {} }, "flags: expected an array, got a value of type object"],
    ["null for a flag", { flags: [null] }, "flags[0]: expected an object, got null"],
    ["no feature", flag({ feature: undefined }), "flags[1].feature: expected an object, got nothing"],
    ["no name", flag({ feature: {} }), "flags[1].feature.name: expected a non-empty string, got nothing"],
    ["text for a state", flag({ enabled: "yes" }), "flags[1].enabled: expected a boolean, got a value of type string"],
    [
      "no value",
      flag({ feature_state_value: undefined }),
      "flags[1].feature_state_value: expected a string, number, boolean or null, got nothing",
    ],
    [
      "a list for a value",
      flag({ feature_state_value: [1] }),
      "flags[1].feature_state_value: expected a string, number, boolean or null, got an array",
    ],
  ])("refuses %s by its path", (_, overrides, message) => {
    expect(() => parse(overrides)).toThrow(new Error(message));
  });

  it("leaves out own traits and segments that can't be used: Flagsmith may omit all but flags", () => {
    const traits = [
      {},
      "plan",
      { trait_key: "no value" },
      { trait_key: "list", trait_value: [1] },
      { trait_key: "", trait_value: 1 },
      { trait_key: "plan", trait_value: null },
    ];
    const segments = [{}, "vip", { member: true }, { name: "out" }, { name: "vip", member: true }];
    expect(parse({ traits, segments })).toMatchObject({ traits: [{ key: "plan", value: null }], segments: ["vip"] });
    expect(parse({ traits: {}, segments: "none" })).toMatchObject({ traits: [], segments: [] });
  });

  it.each([1e300, 1.5, "23"])("does not take %j for an environment's number", (environment) => {
    expect(parse({ flags: [{ ...flagPayload({ name: "f" }), environment }] })).toMatchObject({ environment: undefined });
  });

  it("refuses a body that is no object", () => {
    expect(() => parseEvaluation(Buffer.from("[]"))).toThrow(new Error("body: expected an object, got an array"));
  });

  it("takes the longest identity that Flagsmith stores, in the script that needs most bytes", () => {
    expect(parse({ identity: "\u0001".repeat(1999) })).toMatchObject({ kind: "evaluation" });
  });
});

describe("isAnonymous", () => {
  it.each([
    ["5d41402abc4b2a76b9719d911017c592", true],
    ["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", true],
    ["5D41402ABC4B2A76B9719D911017C592", false],
    ["5d41402a-bc4b-2a76-b971-9d911017c592", false],
    ["user_test", false],
  ])("%s: %s", (identity, expected) => {
    expect(isAnonymous(identity)).toBe(expected);
  });
});
