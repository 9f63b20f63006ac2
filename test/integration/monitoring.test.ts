import { METRICS } from "../../infra/monitoring/metrics";
import { QUERIES } from "../../infra/monitoring/queries";
import { bytesOf, callBody, evaluationPayload, flagPayload } from "../cloud/events";
import type { LogLine } from "../support/capture";
import { runQuery } from "../support/insights";
import { matchesFilter, metricValueOf } from "../support/metric-filter";
import { type Pipeline, startPipeline } from "../support/pipeline";
import { templateOf } from "../support/synth";

/** The lines that the code really writes, of every kind. */
let lines: readonly LogLine[];

const USER = "0b8f3f7e-7c7f-4c59-9d61-8c8b6f1d2a31";
const evaluation = (overrides: Readonly<Record<string, unknown>> = {}) =>
  bytesOf(evaluationPayload({ identity: USER, ...overrides }));
const many = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));

async function provoke(pipeline: Pipeline): Promise<void> {
  const saw = (wanted: string) => pipeline.until(() => pipeline.log.some(({ event }) => event === wanted));
  const { webhookSecret } = pipeline.cloud.parameterNames;
  pipeline.cloud.ssm.delete(webhookSecret);
  await pipeline.post(evaluation());
  pipeline.cloud.ssm.set(webhookSecret, "integration-secret");
  // The failure is remembered for a second.
  await pipeline.until(async () => (await pipeline.post(bytesOf({ event_type: "FLAG_UPDATED", data: {} }))).status === 200);
  await pipeline.post(evaluation({ identity: "undefined" }));
  await pipeline.post(evaluation(), { signature: null });
  await pipeline.post(evaluation(), { signature: "0".repeat(64) });
  await pipeline.post(bytesOf({ identity: USER, flags: [{}] }));
  await pipeline.post(evaluation());
  await saw("delivered");
  await pipeline.post(evaluation());
  await saw("unchanged");
  pipeline.cloud.segment.refusals.push(429, 401, 401);
  await pipeline.post(evaluation({ flags: many }));
  pipeline.cloud.queue.queue.send({ body: "hello", groupId: "g", deduplicationId: "d", attributes: {} });
  await saw("dead-lettered");
  const { messageId } = await pipeline.post(evaluation({ flags: [flagPayload({ name: "email" })] }));
  await pipeline.identify(messageId);
  for (let i = 0; i < 6; i++) {
    const body = callBody({ identity: "guest", messageId: `flood${i}-1`, traits: { i } });
    pipeline.cloud.queue.queue.send({ body, groupId: "flood", deduplicationId: `flood${i}`, attributes: {} });
  }
  // What comes through SQS's API wakes the event source.
  await pipeline.post(evaluation());
  await saw("merged");
}

beforeAll(async () => {
  const pipeline = await startPipeline({ options: { forward: "changes" } });
  await provoke(pipeline);
  await pipeline.stop();
  const dry = await startPipeline({ options: { dryRun: true } });
  await dry.post(evaluation());
  await dry.until(() => dry.log.some(({ event }) => event === "dry-run"));
  await dry.stop();
  lines = [...pipeline.log, ...dry.log];
});

const byEvent = (name: string) => lines.filter(({ event }) => event === name);

describe("the metric filters", () => {
  const filters = Object.values(templateOf().findResources("AWS::Logs::MetricFilter")).map(
    ({ Properties: { FilterPattern: pattern, LogGroupName: group, MetricTransformations: transformations } }) => ({
      service: /(Receive|Deliver)Logs/.exec(group.Ref)?.[1]?.toLowerCase(),
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

  // Nobody waits 15 minutes or for a third try here: the fields are there, and other numbers make them match.
  const late = ({ ageMs, attempt }: LogLine) => ({
    ...(ageMs === undefined ? {} : { ageMs: 900_001 }),
    ...(attempt === undefined ? {} : { attempt: 3 }),
  });

  it.each(filters)(
    "$name matches lines that are written to its log group, each with a number",
    ({ service, pattern, value }) => {
      const matching = lines
        .filter((line) => line.service === service)
        .filter((line) => matchesFilter(pattern, { ...line, ...late(line) }));
      expect(matching).not.toEqual([]);
      for (const line of matching) expect(metricValueOf(value, line)).toBeGreaterThanOrEqual(0);
      expect(matching.length).toBeLessThan(lines.length);
    },
  );

  it("count every outcome of the pipeline once", () => {
    const counted = filters.filter(({ name, value }) => value === "1" && /^(A|I|Una|Inv|Del|Mer|Unc|Dry|Ret|Dead)/.test(name));
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
    expect(new Set(events)).toEqual(new Set(["accepted", "delivered", "unchanged", "retrying", "dry-run"]));
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
    expect(rows.find(({ event }) => event === "dead-lettered")).toMatchObject({ reason: "unreadable-message" });
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
    expect(ask("Which flags were renamed or cut")).toMatchObject([{ userId: USER, renamed: "1: flag_email" }]);
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
    expect(byEvent("retrying")[0]?.steps).toEqual([expect.stringMatching(/^Segment: status 429 in \d+ ms$/)]);
  });
});
