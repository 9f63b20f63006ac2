import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { bundle } from "../../infra/bundle";
import { CONFIG_VARIABLE } from "../../lambda/config";
import type { FunctionName } from "../../lambda/names";
import { environmentsOf } from "../cloud/environments";
import { bytesOf, evaluationPayload, queueEvent, queueRecord, SECRET, webhookEvent } from "../cloud/events";
import { CREDENTIALS, REGION } from "../cloud/server";
import { Loopback, type LoopbackRequest } from "../support/loopback";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/**
 * Settings of Lambda, of Powertools and of Node.js: none of them may change what is logged. Each starts a worker, so a setting that
 * could hide entries stands beside one that could only change them.
 */
const SETTINGS: readonly Readonly<Record<string, string>>[] = [
  {},
  ...LEVELS.map((level) => ({ AWS_LAMBDA_LOG_LEVEL: level, AWS_LAMBDA_LOG_FORMAT: "JSON" })),
  ...["DEBUG", "FATAL"].map((level) => ({ AWS_LAMBDA_LOG_LEVEL: level, AWS_LAMBDA_LOG_FORMAT: "Text" })),
  { POWERTOOLS_LOG_LEVEL: "WARN", POWERTOOLS_DEV: "true" },
  { POWERTOOLS_LOG_LEVEL: "CRITICAL", POWERTOOLS_DEV: "1" },
  { POWERTOOLS_LOG_LEVEL: "SILENT", POWERTOOLS_LOGGER_LOG_EVENT: "true" },
  { POWERTOOLS_LOG_LEVEL: "nonsense", POWERTOOLS_LOGGER_LOG_EVENT: "nonsense" },
  { LOG_LEVEL: "SILENT", POWERTOOLS_DEV: "nonsense" },
  { POWERTOOLS_LOGGER_SAMPLE_RATE: "10%", POWERTOOLS_SERVICE_NAME: "another" },
  { POWERTOOLS_LOGGER_SAMPLE_RATE: "1", AWS_LAMBDA_MAX_CONCURRENCY: "10" },
  { POWERTOOLS_LOGGER_SAMPLE_RATE: "-1", TZ: "Asia/Kathmandu" },
  { POWERTOOLS_LOGGER_SAMPLE_RATE: "0.5", _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1" },
  { NODE_ENV: "production", DEBUG: "*", FORCE_COLOR: "3" },
];

/** What Lambda keeps of a function's output: with format JSON it drops entries below its level, by the fields of each line. */
function keptByLambda(lines: readonly string[], setting: Readonly<Record<string, string>>): readonly string[] {
  if (setting.AWS_LAMBDA_LOG_FORMAT !== "JSON") return lines;
  return lines.filter((line) => {
    const { level, timestamp } = JSON.parse(line);
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(timestamp)) throw new Error(`Lambda would date it itself: ${line}`);
    return LEVELS.indexOf(level) >= LEVELS.indexOf(setting.AWS_LAMBDA_LOG_LEVEL ?? "INFO");
  });
}

/** AWS and Segment at one address. */
const answer = ({ headers, body }: LoopbackRequest) => {
  const target = String(headers["x-amz-target"]);
  if (target.endsWith("GetParameter")) return { body: JSON.stringify({ Parameter: { Value: SECRET } }) };
  if (!target.endsWith("SendMessageBatch")) return {};
  return { body: JSON.stringify({ Successful: JSON.parse(body).Entries }) };
};

const EVENTS = {
  receive: { event: webhookEvent({ body: bytesOf(evaluationPayload()) }), outcome: "accepted" },
  deliver: { event: queueEvent(queueRecord()), outcome: "delivered" },
};

let loopback: Loopback;
beforeAll(async () => {
  loopback = await Loopback.start(answer);
});
afterAll(() => loopback.stop());

/** The lines that one invocation of the bundle writes. */
async function linesWith(name: FunctionName, setting: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const { url } = loopback;
  const places = { forward: "every", sqsUrl: url, ssmUrl: url, dynamodbUrl: url, segmentUrl: url } as const;
  const { [CONFIG_VARIABLE]: config = "" } = environmentsOf(places)[name];
  const aws = { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: "secret" };
  const worker = new Worker(join(__dirname, "../support/bundle-worker.js"), {
    env: { ...aws, AWS_ENDPOINT_URL: url, [CONFIG_VARIABLE]: config, ...setting },
    workerData: { bundle: join(bundle(name).directory, "index.js"), event: EVENTS[name].event },
    stdout: true,
    stderr: true,
  });
  let output = "";
  for (const stream of [worker.stdout, worker.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
  await new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
  return output.trim().split("\n");
}

describe.each(["receive", "deliver"] as const)("%s", (name) => {
  it("fails without its configuration with an error that has the name of its class", async () => {
    await expect(linesWith(name, { [CONFIG_VARIABLE]: "" })).rejects.toMatchObject({ name: "ConfigurationError" });
  });

  it.each(SETTINGS)("writes one line of JSON per outcome with %j, and says so if Lambda drops it", async (setting) => {
    const lines = await linesWith(name, setting);
    const { outcome } = EVENTS[name];
    const hides = ["WARN", "ERROR", "FATAL"].includes(setting.AWS_LAMBDA_LOG_LEVEL ?? "");
    const entries = lines.map((line) => JSON.parse(line));
    expect(entries.map(({ event }) => event).sort()).toEqual([outcome, ...(hides ? ["log-level-hides-entries"] : [])]);
    expect(entries.every(({ service }) => service === name)).toBe(true);
    const kept = keptByLambda(lines, setting).map((line) => JSON.parse(line).event);
    expect(kept).toContain(hides && setting.AWS_LAMBDA_LOG_FORMAT === "JSON" ? "log-level-hides-entries" : outcome);
  });
});
