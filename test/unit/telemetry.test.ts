import { AwsCallError, ParameterError } from "../../lambda/domain/errors";
import { createTelemetry, type TelemetryOptions } from "../../lambda/telemetry";

type Line = { readonly level: string; readonly message: string; readonly fields: Record<string, unknown> };

function setUp(logUserId: TelemetryOptions["logUserId"] = "plain", sampling = 0) {
  const lines: Line[] = [];
  const write =
    (level: string) =>
    (message: unknown, ...[fields]: unknown[]) => {
      lines.push({ level, message: String(message), fields: { ...Object(fields) } });
    };
  const logger = { info: write("info"), warn: write("warn"), error: write("error") };
  return {
    telemetry: createTelemetry({ functionName: "deliver", logUserId, sampling, random: () => 0.5, logger }),
    lines,
  };
}

describe("createTelemetry", () => {
  it("writes the event with the fields of its recorder and of its outcome", () => {
    const { telemetry, lines } = setUp();
    telemetry.recorder({ requestId: "r", attempt: 1 }).outcome("delivered", "done", { status: 200 });
    expect(lines).toEqual([
      {
        level: "info",
        message: "done",
        fields: { event: "delivered", requestId: "r", attempt: 1, status: 200 },
      },
    ]);
  });

  it("shares nothing between the recorders of records that run in parallel", () => {
    const { telemetry, lines } = setUp();
    const [a, b] = [telemetry.recorder({ messageId: "a" }), telemetry.recorder({ userId: "b" })];
    a.outcome("delivered", "done");
    b.outcome("delivered", "done");
    expect(lines.map(({ fields }) => fields)).toEqual([
      { event: "delivered", messageId: "a" },
      { event: "delivered", userId: "b" },
    ]);
  });

  it("names people by the hash of their identity if the option says so", () => {
    const { telemetry, lines } = setUp("hashed");
    telemetry.recorder({ userId: "user-1" }).outcome("delivered", "done");
    expect(lines[0]?.fields.userId).toBe("c6c289e49e9c05b2145860387b73bcb18df43fb09a1e4a4a9713c76c88bb541b");
  });

  it("names nobody in the call of a dry run either", () => {
    const { telemetry, lines } = setUp("hashed");
    for (const name of ["userId", "anonymousId"]) {
      telemetry.recorder({}).outcome("dry-run", "m", { call: { [name]: "user-1", traits: {} } });
      expect(lines.at(-1)?.fields.call).toEqual({
        [name]: "c6c289e49e9c05b2145860387b73bcb18df43fb09a1e4a4a9713c76c88bb541b",
        traits: {},
      });
    }
  });

  it("warns of a parameter that could not be read anew, with its remedy", () => {
    const { telemetry, lines } = setUp();
    const cause = new AwsCallError("ssm:GetParameter", "ThrottlingException", true);
    telemetry.staleParameter(new ParameterError("/p", "parameter-unreadable", "mend it", { cause }));
    expect(lines).toMatchObject([
      {
        level: "warn",
        fields: { event: "parameter-stale", parameter: "/p", remedy: "mend it", actor: "aws" },
      },
    ]);
  });

  it("tells the steps of failures, and of the share of successes that is sampled", () => {
    const line = (event: "delivered" | "retrying", sampling: number) => {
      const { telemetry, lines } = setUp("plain", sampling);
      const recorder = telemetry.recorder({});
      recorder.step("Segment: status 503 in 9 ms");
      recorder.outcome(event, "m");
      return lines[0]?.fields.steps;
    };
    const steps = ["Segment: status 503 in 9 ms"];
    expect([line("retrying", 0), line("delivered", 0.6), line("delivered", 0.4)]).toEqual([
      steps,
      steps,
      undefined,
    ]);
  });

  it.each(["x", "用", "🚩", "\u0001"])(
    "keeps a line below 700 bytes whatever the names, here of %j",
    (char) => {
      const { telemetry, lines } = setUp();
      const long = char.repeat(2_000);
      const ids = {
        requestId: "0".repeat(36),
        apiRequestId: "0".repeat(16),
        messageId: `FlagsmithToSegment-production-${"0".repeat(18)}`,
      };
      const names = { userId: long, renamed: long, overwritten: long, cut: long };
      telemetry.recorder(ids).outcome("accepted", "evaluation queued", {
        ...names,
        environment: 123_456,
        traitCount: 299,
        calls: 12,
        bytes: 123_456,
        durationMs: 123,
      });
      const { userId } = Object(lines[0]?.fields);
      expect(Buffer.byteLength(userId)).toBeLessThanOrEqual(103);
      expect(userId).toMatch(/^[^\uFFFD]+…$/);
      const own = JSON.stringify({
        level: "INFO",
        message: "evaluation queued",
        timestamp: new Date(0).toISOString(),
        service: "deliver",
      }).length;
      // A control character takes six bytes in JSON; nobody is called so.
      if (char !== "\u0001")
        expect(Buffer.byteLength(JSON.stringify(lines[0]?.fields)) + own).toBeLessThan(700);
    },
  );

  it("writes a line of JSON without what nobody asks for, whatever Lambda's environment says", () => {
    const written: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, "write").mockImplementation((text) => written.push(String(text)) > 0),
    );
    process.env._X_AMZN_TRACE_ID = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    const options = { functionName: "deliver", logUserId: "plain", sampling: 0, random: () => 0.5 } as const;
    createTelemetry(options).recorder({ userId: "user-1", status: undefined }).outcome("delivered", "done");
    createTelemetry(options).recorder({}).outcome("retrying", "m", {}, new TypeError("a defect"));
    delete process.env._X_AMZN_TRACE_ID;
    for (const spy of spies) spy.mockRestore();
    const [line, defect] = written.map((text) => JSON.parse(text));
    expect(line).toEqual({
      level: "INFO",
      message: "done",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
      service: "deliver",
      event: "delivered",
      userId: "user-1",
    });
    expect(defect).toMatchObject({
      level: "WARN",
      code: "internal",
      error: { name: "TypeError", message: "a defect" },
    });
  });

  it("clips no remedy", () => {
    const { telemetry, lines } = setUp();
    telemetry.recorder({}).outcome("retrying", "m", { remedy: "x".repeat(500), reason: "x".repeat(500) });
    const { reason, remedy } = Object(lines[0]?.fields);
    expect([reason.length, remedy.length]).toEqual([161, 500]);
  });

  it.each([
    ["accepted", "info"],
    ["ignored", "info"],
    ["unauthorized", "warn"],
    ["invalid", "warn"],
    ["unavailable", "error"],
    ["delivered", "info"],
    ["dry-run", "info"],
    ["retrying", "warn"],
    ["dead-lettered", "error"],
  ] as const)("writes %s as %s", (event, level) => {
    const { telemetry, lines } = setUp();
    telemetry.recorder({}).outcome(event, "m");
    expect(lines[0]?.level).toBe(level);
  });

  it("tells the code, who must act, and the reason down to the first cause", () => {
    const { telemetry, lines } = setUp();
    const cause = new AwsCallError("ssm:GetParameter", "AccessDeniedException", false, {
      detail: "role R may not",
    });
    const error = new ParameterError("/p", "parameter-unreadable", "mend it", { cause });
    telemetry.recorder({}).outcome("retrying", "m", {}, error);
    expect(lines).toEqual([
      {
        level: "error",
        message: "m",
        fields: {
          event: "retrying",
          code: "parameter-unreadable",
          actor: "operator",
          reason: "/p: parameter-unreadable: ssm:GetParameter failed: AccessDeniedException (role R may not)",
        },
      },
    ]);
  });

  it("keeps the stack of an error that nobody foresaw", () => {
    const { telemetry, lines } = setUp();
    const error = new TypeError("a defect");
    telemetry.recorder({}).outcome("unavailable", "m", {}, error);
    expect(lines[0]?.fields).toEqual({ event: "unavailable", code: "internal", error });
  });
});
