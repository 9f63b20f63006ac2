import "../node-version.cjs";
import type { Terminal } from "./command";
import { run } from "./commands";
import { escapeControlCharacters } from "./control-characters";
import { INPUT } from "./setup/input";

async function confirm(question: string): Promise<boolean | undefined> {
  const answer = await INPUT.ask(`${question} [y/N]`, "shown");
  return answer === undefined ? undefined : /^y(es)?$/i.test(answer.trim());
}

/** The exit code that shells use for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

const onInterrupt: Terminal["onInterrupt"] = (act) => {
  const stop = () => void act().finally(() => process.exit(INTERRUPTED));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  return () => process.off("SIGINT", stop).off("SIGTERM", stop);
};

async function main(): Promise<void> {
  // A reader of the output, such as head, may close it early.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  // A user's name must not steer the terminal.
  const print = (text: string) => console.log(escapeControlCharacters(text, "\n\t"));
  const progress = (text: string) => console.error(escapeControlCharacters(text, "\n\t"));
  const terminal = { environment: process.env, print, progress, confirm, onInterrupt, input: INPUT };
  process.exitCode = await run(process.argv.slice(2), terminal);
}

void main();
