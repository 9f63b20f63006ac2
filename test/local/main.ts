import { endWith } from "../support/usage";
import { readArguments } from "./arguments";

/** Prints a line before the other modules are loaded, which takes seconds. */
async function main(): Promise<void> {
  const given = readArguments(process.argv.slice(2), process.env);
  // A program that reads the output, such as `head`, may close it early.
  process.stdout.on("error", () => process.exit(0));
  // With --json, standard output contains only the log entries.
  const say = given.json ? console.error : console.log;
  say("flagsmith-to-segment: a local run, without AWS");
  const startedAtMs = Date.now();
  const { start, explain } = await import("./start");
  await start(given, { say, startedAtMs }).catch((error: unknown) => {
    console.error(explain(error, process.env));
    process.exit(1);
  });
}

main().catch(endWith);
