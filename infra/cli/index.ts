import "../node-version.cjs";
import { createInterface } from "node:readline/promises";
import type { Terminal } from "./command";
import { run } from "./commands";
import { escapeControlCharacters } from "./control-characters";

async function confirm(question: string): Promise<boolean | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const readline = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await readline.question(`${question} [y/N] `);
  readline.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** As shells give it, for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

const onInterrupt: Terminal["onInterrupt"] = (act) => {
  const stop = () => void act().finally(() => process.exit(INTERRUPTED));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  return () => process.off("SIGINT", stop).off("SIGTERM", stop);
};

async function main(): Promise<void> {
  // Whoever reads the output, such as head, may have enough of it.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  // A user's name is not to steer the terminal.
  const print = (text: string) => console.log(escapeControlCharacters(text, "\n\t"));
  const progress = (text: string) => console.error(escapeControlCharacters(text, "\n\t"));
  process.exitCode = await run(process.argv.slice(2), { environment: process.env, print, progress, confirm, onInterrupt });
}

void main();
