import { createServer } from "node:http";
import { setTimeout as after } from "node:timers/promises";
import { escapeControlCharacters } from "../../infra/cli/control-characters";
import { firstLine, postSigned } from "../../infra/cli/send";
import type { DeliverHandler } from "../../lambda/deliver/deliver";
import { ConfigurationError } from "../../lambda/errors";
import { composeDeliver, composeReceive } from "../../lambda/wiring";
import type { Environments } from "../cloud/environments";
import { SEGMENT_MODES } from "../cloud/segment";
import { close } from "../cloud/server";
import type { Arguments } from "./arguments";
import { DEMO_DIVISOR, DEMO_ROUND_MS, hurriedMachine, runDemo } from "./demo";
import { endings } from "./endings";
import { interceptEntries } from "./entries";
import { invitation, places, REDRIVE } from "./invitation";
import { type Keys, listenToKeys } from "./keys";
import { listenAt } from "./listen";
import { type LocalCloud, startLocalCloud } from "./local-cloud";
import { sendSample } from "./sample";
import { readSettings, type Settings, SettingsError } from "./settings";
import { View } from "./view";

export type Say = (text: string) => void;

export interface Beginning {
  readonly say: Say;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
}

/** Starts everything, prints where it is, and shows what happens until the user ends it. */
export async function start({ json, demo, segmentMode }: Arguments, { say, startedAtMs }: Beginning): Promise<void> {
  const stage = stopwatch(say, startedAtMs);
  const settings = readSettings(process.env, { demo, segmentMode });
  // The synth takes seconds, so a port that is in use is detected before it.
  const probe = createServer();
  await listenAt(probe, settings.port, settings.host);
  await close(probe);
  stage("modules loaded");
  const view = new View(json ? () => {} : say, lookOf(process.stdout, process.env));
  const write = process.stdout.write.bind(process.stdout);
  const entries = interceptEntries([process.stdout, process.stderr], (entry, text) => {
    // The JSON is the same, but control characters are escaped, so that a user's name can't control the terminal.
    if (json) write(escapeControlCharacters(text, "\n"));
    view.entry(entry);
  });
  const cloud = await startLocalCloud({
    ...settings,
    ...(segmentMode === undefined ? {} : { segmentMode }),
    observer: view,
    lines: entries,
    options: {
      ...(settings.forward === undefined ? {} : { forward: settings.forward }),
      ...(settings.experiments === undefined ? {} : { experiments: settings.experiments }),
    },
    load: (environments) => functionsOf(environments, demo, view),
    onSynthesized: () => stage("stack synthesized, functions bundled"),
  });
  stage("AWS and Segment started");
  const run = endings(cloud, view, say);
  say(places(cloud, settings));
  say(`ready ${cloud.webhookUrl}`);
  if (settings.sample) await sendSample(cloud, settings, view);
  say(invitation(cloud, settings, process.stdin.isTTY && process.stdout.isTTY));
  run.keys = keysOf(cloud, settings, view, say, run.stop);
  hintAtDeadLetters(view, say);
  if (demo) await demonstrate(cloud, settings, run.stopping);
}

function stopwatch(say: Say, startedAtMs: number): (what: string) => void {
  let lastMs = startedAtMs;
  return (what) => {
    const nowMs = Date.now();
    say(`  ${what.padEnd(40)}${((nowMs - lastMs) / 1_000).toFixed(1).padStart(5)} s`);
    lastMs = nowMs;
  };
}

/** FORCE_COLOR and COLUMNS are for recording what a terminal would show. */
function lookOf(stdout: NodeJS.WriteStream, { FORCE_COLOR, COLUMNS }: NodeJS.ProcessEnv) {
  return {
    colour: stdout.isTTY ? stdout.hasColors() : FORCE_COLOR === "1",
    get columns() {
      return stdout.columns ?? (COLUMNS === undefined ? undefined : Number(COLUMNS));
    },
  };
}

function functionsOf({ receive, deliver }: Environments, demo: boolean, view: View) {
  const machine = demo ? [hurriedMachine(DEMO_DIVISOR)] : [];
  const handler = composeDeliver(deliver, ...machine);
  const observed: DeliverHandler = (event, context) => {
    view.delivering(Object(event).Records.map(({ body }: { readonly body: string }) => body));
    return handler(event, context);
  };
  return { receive: composeReceive(receive, ...machine), deliver: observed };
}

function keysOf(cloud: LocalCloud, settings: Settings, view: View, say: Say, stop: () => void): Keys {
  return listenToKeys(process.stdin, process.stdout, {
    keys: {
      s: () => {
        if (settings.segmentEndpoint !== undefined) return say("SEGMENT_ENDPOINT is set: the embedded Segment gets no calls");
        const { segment } = cloud;
        segment.mode = SEGMENT_MODES[(SEGMENT_MODES.indexOf(segment.mode) + 1) % SEGMENT_MODES.length] ?? "ok";
        say(`Segment: ${segment.mode}`);
      },
      r: () => void sendSample(cloud, settings, view),
    },
    interrupt: stop,
    // Suspends the whole process group, as a terminal does, because npm waits for this process. Windows has no such signal.
    suspend: () => void (process.platform !== "win32" && process.kill(0, "SIGTSTP")),
  });
}

function hintAtDeadLetters(view: View, say: Say): void {
  const end = view.onOutcome(({ event }) => {
    if (event !== "dead-lettered") return;
    end();
    say(REDRIVE);
  });
}

async function demonstrate(cloud: LocalCloud, settings: Settings, stopping: AbortSignal): Promise<void> {
  const secret = firstLine(settings.webhookSecret);
  await runDemo({
    // A request may be cut off when the run ends.
    send: (body) => postSigned(cloud.webhookUrl, body, secret).catch(() => undefined),
    pause: (milliseconds) => after(milliseconds, true, { signal: stopping }).catch(() => false),
    roundMs: DEMO_ROUND_MS,
  });
}

/** A user's mistake is answered with a sentence. Any other error is a defect and is shown with its stack. */
export function explain(error: unknown, { PORT = "3000" }: NodeJS.ProcessEnv): unknown {
  if (error instanceof SettingsError || error instanceof ConfigurationError) return error.message;
  if (Object(error).code === "EADDRINUSE") return `PORT: ${PORT} is in use; set PORT to another, or to 0 for any`;
  return error;
}
