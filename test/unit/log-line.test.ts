import { createTelemetry } from "../../lambda/telemetry";

const options = { functionName: "deliver", logUserId: "plain", sampling: 0, random: () => 0.5 } as const;

/** The lines as they are written, those of the error stream among them. */
function capture(write: (telemetry: ReturnType<typeof createTelemetry>) => void) {
  const written: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, "write").mockImplementation((text) => written.push(String(text)) > 0),
  );
  write(createTelemetry(options));
  for (const spy of spies) spy.mockRestore();
  return written.map((text) => ({ bytes: Buffer.byteLength(text), line: JSON.parse(text) }));
}

describe("a line", () => {
  it("is JSON without what nobody asks for, whatever Lambda's environment says", () => {
    process.env._X_AMZN_TRACE_ID = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    const [delivered, defect] = capture((telemetry) => {
      telemetry.recorder({ userId: "user-1", status: undefined }).outcome("delivered", "done");
      telemetry.recorder({}).outcome("retrying", "m", {}, new TypeError("a defect"));
    });
    delete process.env._X_AMZN_TRACE_ID;
    expect(delivered?.line).toEqual({
      level: "INFO",
      message: "done",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
      service: "deliver",
      event: "delivered",
      userId: "user-1",
    });
    expect(defect?.line).toMatchObject({
      level: "WARN",
      code: "internal",
      error: { name: "TypeError", message: "a defect" },
    });
  });

  it.each(["x", "用", "🚩"])(
    "stays below 700 bytes whatever people and flags are called, here %s",
    (char) => {
      const long = char.repeat(2_000);
      const [accepted] = capture((telemetry) =>
        telemetry
          .recorder({
            requestId: "0".repeat(36),
            apiRequestId: "0".repeat(16),
            messageId: `FlagsmithToSegment-production-${"0".repeat(18)}`,
          })
          .outcome("accepted", "evaluation queued", {
            ...{ userId: long, renamed: long, overwritten: long, cut: long },
            ...{ environment: 123_456, traitCount: 299, calls: 12, bytes: 123_456, durationMs: 123 },
          }),
      );
      expect(accepted?.bytes).toBeLessThan(700);
      expect(accepted?.line.userId).toMatch(/^[^\uFFFD]+…$/);
      expect(Buffer.byteLength(accepted?.line.userId)).toBeLessThanOrEqual(103);
    },
  );

  it("is written if Powertools' level asks for it", () => {
    process.env.POWERTOOLS_LOG_LEVEL = "WARN";
    const lines = capture((telemetry) => {
      telemetry.recorder({}).outcome("delivered", "m");
      telemetry.recorder({}).outcome("retrying", "m");
    });
    delete process.env.POWERTOOLS_LOG_LEVEL;
    expect(lines.map(({ line }) => line.event)).toEqual(["retrying"]);
  });

  it("has a remedy of up to 1,000 bytes, and other texts up to 160", () => {
    const long = "x".repeat(1_001);
    const [line, short] = capture((telemetry) => {
      telemetry.recorder({}).outcome("retrying", "m", { remedy: long, reason: long });
      telemetry.recorder({}).outcome("retrying", "m", { remedy: long.slice(1), reason: long.slice(841) });
    });
    expect([line?.line.reason.length, line?.line.remedy.length]).toEqual([161, 1_001]);
    expect([short?.line.reason.length, short?.line.remedy.length]).toEqual([160, 1_000]);
    expect([line?.line.reason.at(-1), line?.line.remedy.at(-1)]).toEqual(["…", "…"]);
  });
});
