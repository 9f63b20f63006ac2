import { endWith } from "../support/usage";
import { readArguments } from "./arguments";

/** Says a line before the rest is loaded, which takes seconds. */
async function main(): Promise<void> {
  const given = readArguments(process.argv.slice(2), process.env);
  // Whoever reads the output, such as head, may have enough of it.
  process.stdout.on("error", () => process.exit(0));
  // With --json, standard output is the log entries and nothing else.
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
