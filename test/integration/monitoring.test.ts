import { readFileSync } from "node:fs";
import { join } from "node:path";
import { METRICS } from "../../infra/monitoring/metrics";
import { QUERIES } from "../../infra/monitoring/queries";
import { Parameter } from "../../lambda/adapters/parameter";
import { createLog } from "../../lambda/log";
import { type FunctionName, LOG_CODES, LOG_EVENTS, LOG_FIELDS, PLACEHOLDERS } from "../../lambda/names";
import { resolveOptions } from "../../lambda/options";
import { type ReceiveDependencies, receiveHandler } from "../../lambda/receive/receive";
import { compileSkip } from "../../lambda/receive/skip";
import type { LogLine } from "../cloud/control-plane-logs";
import { bytesOf, evaluationPayload, NOON, queueRecord, SECRET, type WebhookInput, webhookEvent } from "../cloud/events";
import { captureOutput } from "../support/capture";
import { setUpDeliver } from "../support/deliver";
import { answered, FakeParameter, FakeQueue, FakeRecords, FakeSegment, identifyOptions } from "../support/fakes";
import { realMachine } from "../support/machine";
import { matchesFilter } from "../support/metric-filter";
import { templateOf } from "../support/synth";

const template = templateOf();
const USER = "0b8f3f7e-7c7f-4c59-9d61-8c8b6f1d2a31";

/** The log entries that the code really writes, of every kind. */
let lines: readonly LogLine[];

const logOf = (functionName: FunctionName, lambdaLogLevel?: string) =>
  createLog({ functionName, logUserId: "plain", lambdaLogLevel });

function placeholderOf(name: keyof typeof PLACEHOLDERS): Parameter {
  const ssm = { send: async () => ({ Parameter: { Value: PLACEHOLDERS[name] } }) };
  const about = { name, placeholder: PLACEHOLDERS[name], region: "eu-west-1", keyId: undefined, onStale: () => {} };
  return new Parameter({ ...realMachine(), ...about, refreshIntervalMs: 1, ssm });
}

/** Posts to receive. Returns the messages that it queued. */
async function post(input: WebhookInput, overrides: Partial<ReceiveDependencies> = {}) {
  const queue = new FakeQueue();
  const receive = receiveHandler({
    stackName: "FlagsmithToSegment-production",
    mapping: identifyOptions,
    reasonToSkip: compileSkip(resolveOptions({})),
    secret: new FakeParameter([SECRET]),
    queue,
    log: logOf("receive"),
    now: () => NOON,
    budgetMs: 6_000,
    ...overrides,
  });
  await receive(webhookEvent(input), { awsRequestId: "invocation-1" });
  return queue.sent;
}

async function provokeReceive(): Promise<void> {
  await post({ body: bytesOf({ event_type: "FLAG_UPDATED", data: {} }) });
  await post({ body: bytesOf(evaluationPayload({ identity: "undefined" })) });
  await post({ signature: null });
  await post({ signature: "0".repeat(64) });
  await post({ body: bytesOf({ identity: USER, flags: [{}] }) });
  await post({}, { secret: placeholderOf("webhookSecret") });
  logOf("receive", "WARN");
}

async function provokeDeliver(): Promise<void> {
  const log = logOf("deliver");
  for (const status of [429, 401, 404]) {
    await setUpDeliver({ log, segment: new FakeSegment(() => answered(status)) }).deliver(queueRecord());
  }
  await setUpDeliver({ log }).deliver(queueRecord({ body: "hello" }));
  await setUpDeliver({ log, dryRun: true }).deliver(queueRecord());
  await setUpDeliver({ log, writeKey: placeholderOf("writeKey") }).deliver(queueRecord());
  const backlog = Array.from({ length: 10 }, (_, index) =>
    queueRecord({ id: `${index}`, messageId: `m${index}-1`, sequence: index }),
  );
  await setUpDeliver({ log }).deliver(...backlog);
  for (const failing of ["none", "read", "write"]) {
    const records = new FakeRecords((operation) => operation === failing);
    const { deliver } = setUpDeliver({ log, changes: { records, endpoint: "https://s", refreshSeconds: 60 } });
    await deliver(queueRecord());
    await deliver(queueRecord({ sequence: 2 }));
  }
  logOf("deliver", "WARN");
}

/** One evaluation through both functions. */
async function deliverOne(): Promise<void> {
  const [message] = await post({ body: bytesOf(evaluationPayload({ identity: USER })) });
  const record = queueRecord({ identity: USER, messageId: message?.deduplicationId ?? "", body: message?.body ?? "" });
  await setUpDeliver({ log: logOf("deliver") }).deliver(record);
}

beforeAll(async () => {
  const capture = captureOutput();
  await deliverOne();
  await provokeReceive();
  await provokeDeliver();
  capture.end();
  lines = capture.lines();
});

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

describe("the saved query", () => {
  const failures = Object.entries(LOG_EVENTS).flatMap(([event, level]) => (level === "info" ? [] : [`"${event}"`]));
  // An event of another source is no failure.
  const listed = failures.filter((event) => event !== '"unknown-source"').join(", ");

  it.each<[keyof typeof QUERIES, string, string]>([
    ["What happened to this user's events", 'userId = "<user id>"', "sort @timestamp desc"],
    ["Which events failed and why", `event in [${listed}]`, "sort @timestamp desc"],
    ["Which dead letters and why", 'event = "dead-lettered"', "by reason, status"],
    ["How long from Flagsmith to Segment", 'event in ["delivered", "merged"]', "pct(latencyMs, 99) as p99"],
    ["Who sends us unsigned requests", 'event = "unauthorized"', "by code, sourceIp"],
    ["What did API Gateway refuse", 'integrationStatus = "-"', "by status, sourceIp, userAgent"],
    ["Whose calls are merged", 'event = "merged"', "count_distinct(mergedInto) as calls by userId"],
    ["Who is left out", 'event = "ignored"', "by code, userId"],
    ["What did we save by changes-only", 'event in ["delivered", "merged", "unchanged"]', "by event"],
  ])("'%s' finds the entries with %s, and shows them %s", (question, entries, shown) => {
    expect(QUERIES[question].text).toContain(`filter ${entries}\n`);
    expect(QUERIES[question].text).toContain(shown);
  });

  it("about refused requests shows who sent them", () => {
    const sender = { sourceIp: "$context.identity.sourceIp", userAgent: "$context.identity.userAgent" };
    expect(accessLogFormat()).toMatchObject(sender);
  });
});

describe("the tables of lambda/README.md", () => {
  const readme = readFileSync(join(__dirname, "../../lambda/README.md"), "utf8");
  const [, logs = ""] = readme.split("\n## Logs\n");

  it.each<[string, readonly string[]]>([
    ["event", Object.keys(LOG_EVENTS)],
    ["code", LOG_CODES],
    ["field", Object.values<readonly string[]>(LOG_FIELDS).flat()],
  ])("explain every %s of the log, and no other", (first, names) => {
    const [table = ""] = logs.slice(logs.indexOf(`| ${first} |`)).split("\n\n");
    const explained = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
    expect(explained.sort()).toEqual([...names].sort());
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
    const own = lines.filter(({ userId }) => userId === USER);
    expect(own.map(({ event }) => event)).toEqual(["accepted", "delivered"]);
    // AWS's request ids are 36 characters, that of the test 12.
    for (const line of own) expect(Buffer.byteLength(JSON.stringify(line)) + 24).toBeLessThan(700);
  });
});
