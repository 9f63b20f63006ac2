import { readFileSync } from "node:fs";
import { join } from "node:path";
import { METRICS } from "../../infra/monitoring/metrics";
import { QUERIES } from "../../infra/monitoring/queries";
import { Parameter } from "../../lambda/adapters/parameter";
import { createLog } from "../../lambda/log";
import { LOG_CODES, LOG_EVENTS, LOG_FIELDS, PLACEHOLDERS } from "../../lambda/names";
import { bytesOf, callBody, evaluationPayload, flagPayload, queueRecord } from "../cloud/events";
import { captureOutput, type LogLine } from "../support/capture";
import { setUpDeliver } from "../support/deliver";
import { FakeRecords } from "../support/fakes";
import { realMachine } from "../support/machine";
import { matchesFilter } from "../support/metric-filter";
import { templateOf } from "../support/synth";
import { type Pipeline, startPipeline } from "./pipeline";

const template = templateOf();

/** The log entries that the code really writes, of every kind. */
let lines: readonly LogLine[];

const USER = "0b8f3f7e-7c7f-4c59-9d61-8c8b6f1d2a31";
const evaluation = (overrides: Readonly<Record<string, unknown>> = {}) =>
  bytesOf(evaluationPayload({ identity: USER, ...overrides }));
const many = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));

async function provoke(pipeline: Pipeline): Promise<void> {
  const saw = (wanted: string) => pipeline.until(() => pipeline.log.some(({ event }) => event === wanted));
  const { webhookSecret } = pipeline.cloud.parameterNames;
  pipeline.cloud.ssm.set(webhookSecret, PLACEHOLDERS.webhookSecret);
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
  pipeline.cloud.segment.refusals.push(429, 401, 401, 404, 404);
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

/** What takes hours, or needs a table that is down. */
async function provokeAlone(): Promise<readonly LogLine[]> {
  const capture = captureOutput();
  const log = createLog({ functionName: "deliver", logUserId: "plain", lambdaLogLevel: undefined });
  const about = { name: "/write-key", placeholder: PLACEHOLDERS.writeKey, refreshIntervalMs: 1, region: "eu-west-1" };
  const ssm = { send: async () => ({ Parameter: { Value: PLACEHOLDERS.writeKey } }) };
  const placeholder = new Parameter({ ...realMachine(), ...about, keyId: undefined, ssm, onStale: () => {} });
  const { deliver } = setUpDeliver({ log, writeKey: placeholder });
  await deliver(queueRecord());
  for (const failing of ["read", "write"]) {
    const records = new FakeRecords((operation) => operation === failing);
    await setUpDeliver({ log, changes: { records, endpoint: "https://s", refreshSeconds: 1 } }).deliver(queueRecord());
  }
  for (const functionName of ["receive", "deliver"] as const) {
    createLog({ functionName, logUserId: "plain", lambdaLogLevel: "WARN" });
  }
  capture.end();
  return capture.lines();
}

beforeAll(async () => {
  const pipeline = await startPipeline({ options: { forward: "changes" } });
  await provoke(pipeline);
  await pipeline.stop();
  const dry = await startPipeline({ options: { dryRun: true } });
  await dry.post(evaluation());
  await dry.until(() => dry.log.some(({ event }) => event === "dry-run"));
  await dry.stop();
  lines = [...pipeline.log, ...dry.log, ...(await provokeAlone())];
});

const byEvent = (name: string) => lines.filter(({ event }) => event === name);

describe("the metric filters", () => {
  const filters = Object.values(template.findResources("AWS::Logs::MetricFilter")).map(
    ({ Properties: { FilterPattern: pattern, LogGroupName: group, MetricTransformations: transformations } }) => ({
      log: String(/(Receive|Deliver|Access)Logs/.exec(group.Ref)?.[1]).toLowerCase(),
      pattern: String(pattern),
      name: String(transformations[0].MetricName),
      value: String(transformations[0].MetricValue),
      defaultValue: transformations[0].DefaultValue,
      dimensions: transformations[0].Dimensions,
    }),
  );

  it("count one per entry, without dimensions, and have no data while there is nothing to count", () => {
    const rules = Object.entries(METRICS).flatMap(([name, { length }]) => Array(length).fill(name));
    expect(filters.map(({ name }) => name).sort()).toEqual(rules.sort());
    for (const { dimensions, value, defaultValue } of filters) {
      expect({ dimensions, value, defaultValue }).toEqual({ dimensions: undefined, value: "1", defaultValue: undefined });
    }
  });

  // No message is 15 minutes old or attempted three times here, so the numbers of these fields are replaced.
  const late = ({ ageMs, attempt }: LogLine) => ({
    ...(ageMs === undefined ? {} : { ageMs: 900_001 }),
    ...(attempt === undefined ? {} : { attempt: 3 }),
  });

  it.each(filters.filter(({ log }) => log !== "access"))(
    "match some but not all entries of $log: $name",
    ({ log, pattern }) => {
      const own = lines.filter(({ service }) => service === log);
      const matching = own.filter((line) => matchesFilter(pattern, { ...line, ...late(line) }));
      expect(matching).not.toEqual([]);
      expect(matching.length).toBeLessThan(own.length);
    },
  );

  it.each<[keyof typeof METRICS, LogLine, boolean]>([
    ["Overdue", { event: "retrying", ageMs: 900_001, code: "server-error" }, true],
    ["Overdue", { event: "retrying", ageMs: 900_000, code: "server-error" }, false],
    ["Overdue", { event: "retrying", ageMs: 900_001, code: "not-attempted" }, false],
    ["WriteKeyRefused", { event: "retrying", code: "write-key-refused", attempt: 3 }, true],
    ["WriteKeyRefused", { event: "retrying", code: "write-key-refused", attempt: 2 }, false],
    ["TableFailing", { event: "retrying", code: "table-failed" }, true],
    ["TableFailing", { event: "not-recorded", code: "table-failed" }, true],
    ["TableFailing", { event: "retrying", code: "server-error" }, false],
    ["LeftOut", { event: "ignored", code: "unselected-identity" }, true],
    ["LeftOut", { event: "ignored", code: "other-event" }, false],
    ["SlowedDown", { event: "retrying", status: 429 }, true],
    ["SlowedDown", { event: "retrying", status: 408 }, false],
  ])("%s counts %j: %s", (name, entry, counted) => {
    const patterns = filters.filter((filter) => filter.name === name).map(({ pattern }) => pattern);
    expect(patterns.map((pattern) => matchesFilter(pattern, entry))).toEqual([counted]);
  });

  it.each([
    ["counts a webhook that API Gateway throttled", { status: "429", integrationStatus: "-" }, true],
    ["counts a webhook for which API Gateway could not invoke receive", { status: "500", integrationStatus: "-" }, true],
    ["does not count an answer of receive", { status: "503", integrationStatus: "200" }, false],
    ["does not count a path that is not the webhook's", { status: "404", integrationStatus: "-" }, false],
  ])("RefusedByApiGateway %s", (_, context, counted) => {
    const pattern = String(filters.find(({ log }) => log === "access")?.pattern);
    expect(matchesFilter(pattern, accessLogEntry(context))).toBe(counted);
  });
});

describe("the saved queries", () => {
  it.each(Object.entries(QUERIES))("have only fields that exist in their logs: %s", (_, { logs, text }) => {
    const fields = Object.values<readonly string[]>(LOG_FIELDS).flat();
    const written = { receive: fields, deliver: fields, access: Object.keys(accessLogFormat()) };
    const known = new Set(["@timestamp", "service", ...logs.flatMap((log) => written[log])]);
    const own = [...text.matchAll(/ as (\w+)/g)].map(([, name]) => name);
    const words = text.replace(/"[^"]*"/g, "").match(/@?[A-Za-z]\w*/g) ?? [];
    const language = "fields filter stats sort limit desc by as in or and bin ispresent count count_distinct pct max latest m";
    const named = words.filter((word) => !own.includes(word) && !language.split(" ").includes(word) && !/^\d/.test(word));
    expect(named.filter((word) => !known.has(word))).toEqual([]);
    expect(named).not.toEqual([]);
  });
});

describe("the tables of lambda/README.md", () => {
  const logs =
    readFileSync(join(__dirname, "../../lambda/README.md"), "utf8")
      .split(/^## /m)
      .find((text) => text.startsWith("Logs")) ?? "";
  const tableOf = (first: string) => {
    const rows =
      logs
        .slice(logs.indexOf(`| ${first} |`))
        .split("\n\n")[0]
        ?.split("\n")
        .slice(2) ?? [];
    return rows.map((row) => row.split("`")[1]).sort();
  };

  it.each<[string, readonly string[]]>([
    ["event", Object.keys(LOG_EVENTS)],
    ["code", LOG_CODES],
    ["field", Object.values<readonly string[]>(LOG_FIELDS).flat()],
  ])("explain every %s of the log, and no other", (first, names) => {
    expect(tableOf(first)).toEqual([...names].sort());
  });
});

function accessLogFormat(): Readonly<Record<string, string>> {
  const [stage] = Object.values(template.findResources("AWS::ApiGatewayV2::Stage"));
  return JSON.parse(stage?.Properties.AccessLogSettings.Format);
}

/** What API Gateway writes for a request with these variables. */
function accessLogEntry(context: Readonly<Record<string, string>>): LogLine {
  const written = Object.entries(accessLogFormat());
  return Object.fromEntries(written.map(([field, variable]) => [field, context[variable.replace("$context.", "")] ?? "-"]));
}

describe("a delivered evaluation", () => {
  it("has two log entries, each under 700 bytes", () => {
    for (const line of ["accepted", "delivered", "unchanged"].flatMap(byEvent)) {
      // AWS's request ids are 36 characters, those of the local cloud 16.
      expect(Buffer.byteLength(JSON.stringify(line)) + 20).toBeLessThan(700);
    }
    const [first] = byEvent("accepted");
    expect(lines.filter(({ messageId }) => messageId === first?.messageId)).toHaveLength(2);
  });
});
