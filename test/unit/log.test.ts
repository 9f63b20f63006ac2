import { AwsCallError, ParameterError, TableError } from "../../lambda/errors";
import { createLog, type LogFields, type Outcome } from "../../lambda/log";
import type { LogEvent } from "../../lambda/names";
import { captureOutput } from "../support/capture";

const options = { functionName: "receive", logUserId: "plain", lambdaLogLevel: undefined } as const;

/** What Powertools writes for these outcomes. */
function linesOf(outcomes: readonly Outcome[], overrides: Partial<Parameters<typeof createLog>[0]> = {}) {
  const capture = captureOutput();
  try {
    const log = createLog({ ...options, ...overrides });
    for (const outcome of outcomes) log.write(outcome);
    return capture.lines();
  } finally {
    capture.end();
  }
}

const lineOf = (outcome: Outcome, overrides: Partial<Parameters<typeof createLog>[0]> = {}) => linesOf([outcome], overrides)[0];

describe("a log entry", () => {
  it("has level, message, timestamp and service, then the fields that are defined", () => {
    const fields = { messageId: "m", environment: undefined, traitCount: 0 };
    const line = lineOf({ event: "accepted", message: "evaluation queued", fields });
    expect(Object.entries(Object(line))).toEqual([
      ["level", "INFO"],
      ["message", "evaluation queued"],
      ["timestamp", expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)],
      ["service", "receive"],
      ["event", "accepted"],
      ["messageId", "m"],
      ["traitCount", 0],
    ]);
  });

  it.each<[string, readonly LogEvent[]]>([
    ["INFO", ["accepted", "ignored", "delivered", "merged", "unchanged", "dry-run"]],
    ["WARN", ["unauthorized", "invalid", "retrying", "parameter-stale", "not-recorded", "unknown-source"]],
    ["ERROR", ["unavailable", "dead-lettered", "misconfigured"]],
  ])("has the level of its event, and ERROR if the operator must act: %s %j", (level, events) => {
    const levelsOf = (fields: LogFields) =>
      linesOf(events.map((event) => ({ event, message: "", fields }))).map((line) => line.level);
    expect(levelsOf({})).toEqual(events.map(() => level));
    expect(levelsOf({ actor: "operator" })).toEqual(events.map(() => "ERROR"));
  });

  it("has code and actor of an error of this product, and the messages of its causes as reason", () => {
    const cause = new AwsCallError("ssm:GetParameter", "timeout", true, { cause: new Error("of no interest") });
    const error = new ParameterError("/p", "parameter-unreadable", "aws", "aws …", { cause });
    expect(lineOf({ event: "unavailable", message: "", error })).toMatchObject({
      code: "parameter-unreadable",
      actor: "aws",
      reason: "/p: parameter-unreadable: ssm:GetParameter failed: timeout",
      parameter: "/p",
      remedy: "aws …",
    });
  });

  const waitFirst = /^If the stack was deployed in the last two minutes, wait\. .*a right is missing/;

  it.each<[string, string, boolean, RegExp | undefined]>([
    ["names a missing right, and first the time that a new role needs", "AccessDeniedException", false, waitFirst],
    ["names a missing right for a key of KMS", "KmsAccessDenied", false, waitFirst],
    ["names a key that can't be used", "KMS.DisabledException", false, /^The KMS key is disabled/],
    ["names a queue that was deleted", "QueueDoesNotExist", false, /deploy a new stack/],
    ["names a table that was deleted", "ResourceNotFoundException", false, /deploy a new stack/],
    ["has no remedy for what passes by itself", "ThrottlingException", true, undefined],
    ["has no remedy for what is not known", "ValidationException", false, undefined],
  ])("%s, of SQS and of DynamoDB", (_, code, retryable, expected) => {
    const error = new AwsCallError("sqs:SendMessageBatch", code, retryable);
    for (const refused of [error, new TableError("table", error)]) {
      const line = lineOf({ event: "retrying", message: "", error: refused });
      expect(line?.remedy).toEqual(expected && expect.stringMatching(expected));
    }
  });

  it("has name and stack of any other error, but not its message, which may quote a body", () => {
    const error = new TypeError("SECRET\n  at SECRET (SECRET:1:1)", { cause: new SyntaxError("SECRET is not valid JSON") });
    const line = lineOf({ event: "unavailable", message: "", error: Object.assign(error, { SECRET: "SECRET" }) });
    const stack = expect.stringMatching(/^at .+log\.test/);
    expect(line).toMatchObject({ code: "internal", error: { name: "TypeError", stack } });
    expect(JSON.stringify(line)).not.toContain("SECRET");
    expect(lineOf({ event: "unavailable", message: "", error: "SECRET" })).toMatchObject({ reason: "a thrown string" });
  });

  it.each(
    Object.entries({
      ...{ userId: 100, renamed: 50, overwritten: 50, cut: 50, reservedColumns: 50, sameColumn: 50 },
      ...{ reason: 600, remedy: 1_000, visibility: 160 },
    }),
  )("has at most so many bytes of field %s: %d", (field, bytes) => {
    const written = (text: string) => lineOf({ event: "retrying", message: "", fields: Object({ [field]: text }) })?.[field];
    expect(written("x".repeat(bytes))).toBe("x".repeat(bytes));
    expect(written("x".repeat(bytes + 1))).toBe(`${"x".repeat(bytes)}…`);
  });

  it("has texts cut between two characters", () => {
    const fields = { visibility: "ж".repeat(81), renamed: `2: ${"🚩".repeat(20)}` };
    expect(lineOf({ event: "retrying", message: "", fields })).toMatchObject({
      visibility: `${"ж".repeat(80)}…`,
      renamed: `2: ${"🚩".repeat(11)}…`,
    });
  });

  // printf user-1 | sha256sum
  const hash = "c6c289e49e9c05b2145860387b73bcb18df43fb09a1e4a4a9713c76c88bb541b";

  it.each<[string, object, object]>([
    ["without events", { anonymousId: "user-1", traits: {} }, { anonymousId: hash }],
    ["with events", { batch: [{ userId: "user-1" }, { userId: "user-1" }] }, { batch: [{ userId: hash }, { userId: hash }] }],
  ])("has a hash of the user with logUserId: hashed, also in the call of a dry run %s", (_, call, hashed) => {
    const outcome = { event: "dry-run", message: "", fields: { userId: "user-1", call } } as const;
    expect(lineOf(outcome, { logUserId: "hashed" })).toMatchObject({ userId: hash, call: hashed });
  });
});

describe("Lambda's log level", () => {
  const hidden = [["log-level-hides-entries", "FATAL"]];

  it.each([
    ...["WARN", "ERROR", "FATAL"].map((level) => [level, "reported", hidden] as const),
    ...[undefined, "INFO", "DEBUG", "TRACE", "nonsense"].map((level) => [level, "not reported", []] as const),
  ])("%s is %s by an entry that no level drops", (lambdaLogLevel, _, expected) => {
    const lines = linesOf([{ event: "delivered", message: "" }], { lambdaLogLevel });
    expect(lines.map(({ event, level }) => [event, level])).toEqual([...expected, ["delivered", "INFO"]]);
  });
});
