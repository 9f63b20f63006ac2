import { isAnonymous, parseEvaluation } from "../../lambda/receive/evaluation";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { fixture, signatures } from "../support/fixtures";

const parse = (overrides: Readonly<Record<string, unknown>>) => parseEvaluation(bytesOf(evaluationPayload(overrides)));

describe("parseEvaluation", () => {
  it("reads an evaluation that has only the required fields", () => {
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

  it("reads the environment's number from the first flag that has one", () => {
    const bare = { ...flagPayload({ name: "a" }), environment: undefined };
    expect(parse({ flags: [bare, flagPayload({ name: "b" })] })).toMatchObject({ environment: 23 });
  });

  it("reads each of Flagsmith's traits that is not transient and can be used", () => {
    const traits = [
      { trait_key: "plan", trait_value: "gold", transient: false },
      { id: 1, trait_key: "age", trait_value: null },
      { trait_key: "cart", trait_value: 3, transient: true },
      ...[{}, "plan", { trait_key: "no value" }, { trait_key: "list", trait_value: [1] }, { trait_key: "", trait_value: 1 }],
    ];
    const read = Object.entries({ plan: "gold", age: null }).map(([key, value]) => ({ key, value }));
    expect(parse({ traits })).toMatchObject({ traits: read });
    expect(parse({ traits: {} })).toMatchObject({ traits: [] });
  });

  it("reads each segment of which the identity is a member", () => {
    const segments = [{ id: 1, name: "beta", member: true }, { name: "out", member: false }, {}, "vip", { name: "unknown" }];
    expect(parse({ segments })).toMatchObject({ segments: ["beta"] });
    expect(parse({ segments: "none" })).toMatchObject({ segments: [] });
  });

  it("counts a number beyond a double as null", () => {
    const body = '{"identity":"u","flags":[{"feature":{"name":"f"},"enabled":true,"feature_state_value":1e999}]}';
    expect(parseEvaluation(Buffer.from(body))).toMatchObject({ flags: [{ value: null }] });
  });

  const otherEvents = Object.keys(signatures.files).filter((name) => name.startsWith("not-identity/"));

  it.each(otherEvents)("recognizes another event of Flagsmith: %s", (name) => {
    expect(parseEvaluation(fixture(name))).toMatchObject({ kind: "other" });
  });

  const auditLog = {
    author: { id: 1 },
    created_date: "2026-11-25T18:20:49.798637Z",
    environment: null,
    log: "New Flag created",
    project: { id: 1 },
    related_object_id: 6,
    related_object_type: "FEATURE",
  };

  it("recognizes the audit log's flat form by four of its fields", () => {
    const { author, log, project, environment } = auditLog;
    for (const body of [auditLog, { author, log, project, environment }]) {
      expect(parseEvaluation(bytesOf(body))).toEqual({ kind: "other", eventType: "AUDIT_LOG_CREATED" });
    }
    expect(() => parseEvaluation(bytesOf({ author, log, project }))).toThrow("identity: expected a non-empty string");
    expect(() => parseEvaluation(bytesOf({ ...auditLog, identity: "" }))).toThrow("identity: expected a non-empty string");
  });

  const flag = (overrides: Readonly<Record<string, unknown>>) => ({
    flags: [flagPayload({ name: "ok" }), { ...flagPayload({ name: "f" }), ...overrides }],
  });

  const VALUE = "feature_state_value: expected a string, number, boolean or null";

  it.each([
    ["no identity", { identity: undefined, event_type: "FLAG_UPDATED" }, "identity: expected a non-empty string, got nothing"],
    ["an empty identity", { identity: "" }, "identity: expected a non-empty string, got an empty string"],
    ["an identity that is a number", { identity: 7 }, "identity: expected a non-empty string, got a value of type number"],
    ["a very long identity", { identity: "x".repeat(12_000) }, "identity: expected at most 12000 bytes"],
    ["no flags", { flags: undefined }, "flags: expected an array, got nothing"],
    ["flags that are an object", { flags: {} }, "flags: expected an array, got a value of type object"],
    ["a flag that is null", { flags: [null] }, "flags[0]: expected an object, got null"],
    ["a flag without feature", flag({ feature: undefined }), "flags[1].feature: expected an object, got nothing"],
    ["a flag without name", flag({ feature: {} }), "flags[1].feature.name: expected a non-empty string, got nothing"],
    ["a state that is text", flag({ enabled: "yes" }), "flags[1].enabled: expected a boolean, got a value of type string"],
    ["a flag without value", flag({ feature_state_value: undefined }), `flags[1].${VALUE}, got nothing`],
    ["a value that is a list", flag({ feature_state_value: [1] }), `flags[1].${VALUE}, got an array`],
  ])("rejects %s with the path of the field", (_, overrides, message) => {
    expect(() => parse(overrides)).toThrow(new Error(message));
  });

  it.each([1e300, 1.5, "23"])("reads no environment from %j", (environment) => {
    expect(parse({ flags: [{ ...flagPayload({ name: "f" }), environment }] })).toMatchObject({ environment: undefined });
  });

  it("rejects a body that is not an object", () => {
    expect(() => parseEvaluation(Buffer.from("[]"))).toThrow(new Error("body: expected an object, got an array"));
  });

  it("reads the longest identity that Flagsmith stores, with characters that need most bytes", () => {
    expect(parse({ identity: "\u0001".repeat(1999) })).toMatchObject({ kind: "evaluation" });
  });
});

it.each([
  ["5d41402abc4b2a76b9719d911017c592", true],
  ["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", true],
  ["5D41402ABC4B2A76B9719D911017C592", false],
  ["aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", false],
  ["5d41402a-bc4b-2a76-b971-9d911017c592", false],
  ["user_test", false],
])("Flagsmith generated the identity %s: %s", (identity, expected) => {
  expect(isAnonymous(identity)).toBe(expected);
});
