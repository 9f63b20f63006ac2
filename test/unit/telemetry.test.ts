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
  const log = { info: write("info"), warn: write("warn"), error: write("error") };
  return {
    telemetry: createTelemetry({ functionName: "deliver", logUserId, sampling, random: () => 0.5, log }),
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
