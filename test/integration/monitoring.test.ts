import { METRICS } from "../../infra/metrics";
import { QUERIES } from "../../infra/queries";
import { bytesOf, evaluationPayload, flagPayload } from "../support/builders";
import { runQuery } from "../support/insights";
import { type LogLine, matchesFilter, metricValueOf } from "../support/metric-filter";
import { type Road, startRoad } from "../support/road";
import { templateOf } from "../support/synth";

/** The lines that the code really writes, of every kind. */
let lines: readonly LogLine[];

const USER = "0b8f3f7e-7c7f-4c59-9d61-8c8b6f1d2a31";
const evaluation = (overrides: Readonly<Record<string, unknown>> = {}) =>
  bytesOf(evaluationPayload({ identity: USER, ...overrides }));
const many = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));

async function provoke(road: Road): Promise<void> {
  const saw = (wanted: string) => road.until(() => road.log.some(({ event }) => event === wanted));
  const { webhookSecret } = road.cloud.parameterNames;
  road.cloud.parameters.delete(webhookSecret);
  await road.post(evaluation());
  road.cloud.parameters.put(webhookSecret, "integration-secret");
  await road.post(bytesOf({ event_type: "FLAG_UPDATED", data: {} }));
  await road.post(evaluation(), { signature: null });
  await road.post(evaluation(), { signature: "0".repeat(64) });
  await road.post(bytesOf({ identity: USER, flags: [{}] }));
  await road.post(evaluation());
  await saw("delivered");
  await road.post(evaluation());
  await saw("unchanged");
  road.cloud.sink.refusals.push(429, 401, 401, 400);
  await road.post(evaluation({ flags: many }));
  await saw("dead-lettered");
  const { messageId } = await road.post(evaluation({ flags: [flagPayload({ name: "email" })] }));
  await road.identify(messageId);
}

beforeAll(async () => {
  const road = await startRoad({ options: { forward: "changes" } });
  await provoke(road);
  await road.stop();
  const dry = await startRoad({ options: { dryRun: true } });
  await dry.post(evaluation());
  await dry.until(() => dry.log.some(({ event }) => event === "dry-run"));
  await dry.stop();
  lines = [...road.log, ...dry.log];
});

const byEvent = (name: string) => lines.filter(({ event }) => event === name);

describe("the metric filters", () => {
  const filters = Object.values(templateOf().findResources("AWS::Logs::MetricFilter")).map(
    ({ Properties: { FilterPattern: pattern, MetricTransformations: transformations } }) => ({
      pattern: String(pattern),
      name: String(transformations[0].MetricName),
      value: String(transformations[0].MetricValue),
      dimensions: transformations[0].Dimensions,
    }),
  );

  it("are those of the table, without dimensions", () => {
    expect(filters.map(({ name }) => name).sort()).toEqual(Object.keys(METRICS).sort());
    expect(filters.every(({ dimensions }) => dimensions === undefined)).toBe(true);
  });

  // Nobody waits 15 minutes here: the field is there, and another number makes it match.
  const late = (pattern: string, { ageMs }: LogLine) =>
    pattern.includes("ageMs") && ageMs !== undefined ? { ageMs: 900_001 } : {};

  it.each(filters)("$name matches lines that are written, each with a number", ({ pattern, value }) => {
    const matching = lines.filter((line) => matchesFilter(pattern, { ...line, ...late(pattern, line) }));
    expect(matching).not.toEqual([]);
    for (const line of matching) expect(metricValueOf(value, line)).toBeGreaterThanOrEqual(0);
    expect(matching.length).toBeLessThan(lines.length);
  });

  it("count every outcome of the road once", () => {
    const counted = filters.filter(
      ({ name, value }) => value === "1" && /^(A|I|Una|Inv|Del|Unc|Dry|Ret|Dead)/.test(name),
    );
    for (const line of lines) {
      expect(counted.filter(({ pattern }) => matchesFilter(pattern, line))).toHaveLength(1);
    }
  });
});

describe("the saved queries", () => {
  const ask = (question: string) => runQuery(QUERIES[question] ?? "", lines);

  it("What happened to this user's events", () => {
    const query = (QUERIES["What happened to this user's events"] ?? "").replace("<user id>", USER);
    const events = runQuery(query, lines).map(({ event }) => event);
    expect(new Set(events)).toEqual(
      new Set(["accepted", "delivered", "unchanged", "retrying", "dead-lettered", "dry-run"]),
    );
  });

  it("Which events failed and why", () => {
    const rows = ask("Which events failed and why");
    const failures = ["unauthorized", "invalid", "unavailable", "retrying", "dead-lettered"];
    expect(rows).toHaveLength(failures.flatMap(byEvent).length);
    expect(rows.every(({ reason, code }) => reason !== undefined || code !== undefined)).toBe(true);
    expect(rows.find(({ code }) => code === "write-key-refused")).toMatchObject({
      actor: "operator",
      remedy: expect.stringContaining("aws ssm put-parameter"),
    });
    expect(rows.filter(({ event }) => event === "dead-lettered")).toEqual(
      byEvent("dead-lettered").map(({ status }) => expect.objectContaining({ status })),
    );
  });

  it("How long from Flagsmith to Segment", () => {
    const [row, ...others] = ask("How long from Flagsmith to Segment");
    expect(others).toEqual([]);
    expect(row).toMatchObject({ calls: byEvent("delivered").length });
    expect(Number(row?.worst)).toBeGreaterThanOrEqual(Number(row?.p50));
  });

  it("Who sends us unsigned requests", () => {
    expect(ask("Who sends us unsigned requests")).toEqual([
      { code: "signature-missing", sourceIp: "127.0.0.1", requests: 1 },
      { code: "signature-wrong", sourceIp: "127.0.0.1", requests: 1 },
    ]);
  });

  it("Which flags were renamed or cut", () => {
    expect(ask("Which flags were renamed or cut")).toMatchObject([
      { userId: USER, renamed: "1: flag_email" },
    ]);
  });

  it("What did we save by changes-only", () => {
    expect(ask("What did we save by changes-only")).toEqual(
      expect.arrayContaining([{ event: "unchanged", calls: byEvent("unchanged").length }]),
    );
  });
});

describe("the log's volume", () => {
  it("is two lines for an event that goes well, each under 700 bytes", () => {
    for (const line of ["accepted", "delivered", "unchanged"].flatMap(byEvent)) {
      // AWS's request ids are 36 characters, those of the local cloud 16.
      expect(Buffer.byteLength(JSON.stringify(line)) + 20).toBeLessThan(700);
    }
    const [first] = byEvent("accepted");
    expect(lines.filter(({ messageId }) => messageId === first?.messageId)).toHaveLength(2);
  });

  it("tells the steps of failures only", () => {
    expect(["accepted", "delivered", "unchanged"].flatMap(byEvent).some(({ steps }) => steps)).toBe(false);
    expect(byEvent("retrying")[0]?.steps).toEqual([
      "changed",
      expect.stringMatching(/^Segment: status 429 in \d+ ms$/),
    ]);
  });
});
