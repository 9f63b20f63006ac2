import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { count, DEFAULT_PORT } from "../../infra/cli/command";
import { firstLine, postSigned } from "../../infra/cli/send";
import { ConfigurationError } from "../../lambda/errors";
import type { ArrivingCall } from "../cloud/segment";
import { close, listen } from "../cloud/server";
import type { LogLine } from "../support/capture";
import { type LocalCloud, startLocalCloud } from "./local-cloud";
import { showLines } from "./log-view";
import { readSettings, type Settings, SettingsError } from "./settings";

const SAMPLE = join(__dirname, "../support/fixtures/02-multivariate.json");

/** Milliseconds until deliver has told of the sample: longer than two tries at Segment take. */
const SAMPLE_PATIENCE = 15_000;

/** With `--json`, standard output is the functions' lines and nothing else. */
const say = process.argv.includes("--json") ? console.error : console.log;

/** Starts everything, and says where it is. `json`: the functions' lines as they are. */
export async function start(json: boolean): Promise<void> {
  const settings = readSettings(process.env);
  // Synthesizing takes seconds: whether the port is free is known before.
  await close(await listening(settings.port));
  const lines = showLines(json);
  const cloud = await startLocalCloud({
    port: settings.port,
    webhookSecret: settings.webhookSecret,
    writeKey: settings.writeKey,
    ...(settings.segmentEndpoint === undefined ? {} : { segmentEndpoint: settings.segmentEndpoint }),
    lines,
    options: settings.forward === undefined ? {} : { forward: settings.forward },
  });
  const stop = () => void end(cloud).then(() => process.exit(0), fail);
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  onOrphaned(stop);
  cloud.segment.onTaken(printIdentify);
  printPlaces(cloud, settings);
  say(`ready ${cloud.webhookUrl}`);
  if (settings.sample) await sendSample(cloud, settings, lines);
  printInvitation(cloud, settings);
}

async function listening(port: number): Promise<Server> {
  const server = createServer();
  await listen(server, port);
  return server;
}

/** What still waits ends with this process. */
async function end(cloud: LocalCloud): Promise<void> {
  await cloud.stop();
  const [waiting, dead] = [cloud.queue.queue.size, cloud.deadLetterQueue.queue.size];
  if (waiting + dead > 0) {
    say(`not delivered, and gone now: ${count(waiting, "call")} in the queue, ${count(dead, "dead letter")}`);
  }
}

/** A signal to npm alone ends npm and its shell, and does not come through. */
function onOrphaned(act: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, 250);
}

function printPlaces(cloud: LocalCloud, settings: Settings): void {
  const sink = settings.segmentEndpoint === undefined ? " (embedded)" : "";
  say(`${cloud.stackName}, run locally with the options of cdk.json`);
  say(`  secret        ${settings.webhookSecret.split("\n").join(", ")}`);
  say(`  segment       ${cloud.segmentEndpoint}${sink}`);
  say(`  sqs           ${cloud.sqsEndpoint}`);
  say(`  queue         ${cloud.queue.url}`);
  say(`  dead letters  ${cloud.deadLetterQueue.url}`);
}

async function sendSample(cloud: LocalCloud, settings: Settings, lines: () => readonly LogLine[]): Promise<void> {
  const body = readFileSync(SAMPLE);
  const { identity, flags } = JSON.parse(body.toString());
  say(`in   POST /webhook, ${body.length} bytes, signed: ${flags.length} flags of ${identity}`);
  const { status, body: answer } = await postSigned(cloud.webhookUrl, body, firstLine(settings.webhookSecret));
  say(`     answer ${status} ${answer}`);
  if (status !== 202) return;
  if (cloud.controlPlane.state.eventSource === "Disabled") return say("     waits in the queue: option paused is on");
  const { messageId } = JSON.parse(answer);
  const isTold = () => lines().some((line) => line.service === "deliver" && line.messageId === messageId);
  for (const end = Date.now() + SAMPLE_PATIENCE; !isTold() && Date.now() < end; ) await sleep(20);
}

/** What reaches the embedded Segment. */
function printIdentify({ body, bytes }: ArrivingCall): void {
  say(`out  POST /v1/identify, ${bytes} bytes: ${JSON.stringify(body)}`);
}

function printInvitation(cloud: LocalCloud, settings: Settings): void {
  const body =
    '{"flags": [{"enabled": true, "feature": {"name": "my_flag"}, "feature_state_value": "blue"}], "identity": "me"}';
  const signature = `$(printf %s "$BODY" | openssl dgst -sha256 -hmac ${quote(firstLine(settings.webhookSecret))} -r | cut -d' ' -f1)`;
  const port = new URL(cloud.webhookUrl).port;
  const at = Number(port) === DEFAULT_PORT ? "" : `PORT=${port} `;
  say(
    [
      "send your own:",
      `  BODY=${quote(body)}`,
      `  curl -sS ${cloud.webhookUrl} -H 'content-type: application/json' -H "x-flagsmith-signature: ${signature}" --data-binary "$BODY"`,
      "or a file, as it is:",
      `  npm run send -- <file.json> --url ${cloud.webhookUrl} --secret ${quote(firstLine(settings.webhookSecret))}`,
      "look at it, from another terminal:",
      `  ${at}npm run doctor -- --local`,
      `  ${at}npm run trace -- --local me`,
      "Ctrl-C stops",
    ].join("\n"),
  );
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Mistakes of the person at the terminal get a line; anything else is a defect and gets its stack. */
export function fail(error: unknown): void {
  console.error(messageOf(error));
  process.exit(1);
}

function messageOf(error: unknown): unknown {
  if (error instanceof SettingsError || error instanceof ConfigurationError) return error.message;
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return `PORT: ${process.env.PORT ?? 3000} is in use; set PORT to another, or to 0 for any`;
  }
  return error;
}
