import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { postSigned } from "../../infra/cli/send";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { endWith, parseOptions, type Usage } from "../support/usage";
import { tablePicture, terminalPicture } from "./svg";

const USAGE: Usage = {
  call: "npm run pictures",
  help: "Makes the pictures of the README from a real local run, in infra/pictures",
};
const FOLDER = join(__dirname, "../../infra/pictures");
const SECRET = "local-secret";
const COLUMNS = 96;
const FLAGS = [
  flagPayload({ name: "checkout", value: "b" }),
  flagPayload({ name: "max_items", value: 25 }),
  flagPayload({ name: "dark_mode" }),
  flagPayload({ name: "email", enabled: false }),
];

interface Recording {
  readonly child: ChildProcess;
  text: string;
}

/** Records a run in which ann's call is rejected, retried, and accepted after a switch. */
async function main(): Promise<void> {
  parseOptions(USAGE, { options: {} });
  const recording = record("--segment", "reject");
  const [, webhookUrl = ""] = await until(recording, /^ready (\S+)$/m);
  await until(recording, /Ctrl-C/);
  await postSigned(webhookUrl, bytesOf(evaluationPayload({ identity: "ann", flags: FLAGS })), SECRET);
  await until(recording, /ann .*retrying/);
  await fetch(new URL("/segment?mode=ok", webhookUrl), { method: "POST" });
  await until(recording, /200\S* {2}ann [\s\S]*\(renamed\)/);
  recording.child.kill("SIGINT");
  await once(recording.child, "close");
  mkdirSync(FOLDER, { recursive: true });
  const shown = `$ npm start -- --segment reject\n${recording.text.trimEnd()}`;
  const terminal =
    "npm start in a terminal: each webhook with its flags, and each call to Segment with its traits; one call is retried";
  writeFileSync(join(FOLDER, "npm-start.svg"), terminalPicture(shown, COLUMNS, terminal));
  const [flags, traits] = [setOf(recording.text, "IN", "202"), setOf(recording.text, "OUT", "200")];
  const rows = flags.map((flag, index) => [flag, traits[index] ?? ""] as const);
  const titles = ["Flagsmith: flags of ann", "Segment: traits of user ann"] as const;
  const table = "An evaluation's flags in Flagsmith, and beside each the trait of the user in Segment";
  writeFileSync(join(FOLDER, "mapping.svg"), tablePicture({ titles, rows }, table));
}

function record(...args: readonly string[]): Recording {
  const child = spawn(process.execPath, ["--import", "tsx", join(__dirname, "main.ts"), ...args], {
    env: { ...process.env, SAMPLE: "on", FORCE_COLOR: "1", COLUMNS: String(COLUMNS) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const recording: Recording = { child, text: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    recording.text += chunk;
  });
  return recording;
}

async function until(recording: Recording, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(recording.text);
    if (found !== null) return found;
    if (recording.child.exitCode !== null) throw new Error(`the local run ended without ${pattern}:\n${recording.text}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Ann's flags or traits, as the run showed them. */
function setOf(text: string, direction: string, status: string): readonly string[] {
  const plain = stripVTControlCharacters(text);
  const [, set = ""] = new RegExp(`${direction} +${status}  ann +[\\d.]+ \\w+ {2}(.*(?:\\n {20,}.*)*)`).exec(plain) ?? [];
  return set
    .replaceAll(/\s*\n\s*/g, " ")
    .split("·")
    .map((item) => item.trim());
}

main().catch(endWith);
