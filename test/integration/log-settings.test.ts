import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { bundle } from "../../infra/bundle";
import { CONFIG_VARIABLE } from "../../lambda/config";
import type { FunctionName } from "../../lambda/names";
import { bytesOf, evaluationPayload, queueEvent, queueRecord, SECRET, webhookEvent } from "../cloud/events";
import { CREDENTIALS, REGION } from "../cloud/server";
import { environmentsOf } from "../faults/world";
import { Loopback, type LoopbackRequest } from "../support/loopback";

/** Settings of Lambda, of Powertools and of Node.js: none of them may change what is logged. */
const SETTINGS: readonly Readonly<Record<string, string>>[] = [
  {},
  ...["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].flatMap((level) =>
    ["JSON", "Text"].map((format) => ({ AWS_LAMBDA_LOG_LEVEL: level, AWS_LAMBDA_LOG_FORMAT: format })),
  ),
  ...["WARN", "CRITICAL", "SILENT", "nonsense"].map((level) => ({ POWERTOOLS_LOG_LEVEL: level })),
  { LOG_LEVEL: "SILENT" },
  ...["true", "1", "nonsense"].map((value) => ({ POWERTOOLS_DEV: value })),
  ...["10%", "1", "-1", "0.5"].map((rate) => ({ POWERTOOLS_LOGGER_SAMPLE_RATE: rate })),
  ...["true", "nonsense"].map((value) => ({ POWERTOOLS_LOGGER_LOG_EVENT: value })),
  { POWERTOOLS_SERVICE_NAME: "another" },
  { AWS_LAMBDA_MAX_CONCURRENCY: "10" },
  { _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1" },
  { TZ: "Asia/Kathmandu" },
  { NODE_ENV: "production", DEBUG: "*", FORCE_COLOR: "3" },
];

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

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
