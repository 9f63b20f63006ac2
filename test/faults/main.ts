import { endWith, parseOptions, UsageError } from "../support/usage";
import { type Result, runScenario } from "./campaign";
import { faultsMet } from "./faults";

const USAGE =
  "usage: npm run faults -- [--events n] [--identities n] [--seed n] [--forward every|changes] [--only 'name of a fault']";

/** Every fault with its share of 20,000 events and more, as a table. Ends with 1 if anything was lost or reordered. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, {
    options: {
      events: { type: "string", default: "640" },
      identities: { type: "string", default: "500" },
      seed: { type: "string", default: String(Date.now() % 2 ** 31) },
      forward: { type: "string", default: "every" },
      only: { type: "string" },
    },
  });
  const [events, identities, seed] = [values.events, values.identities, values.seed].map(Number);
  const { forward } = values;
  if (!events || !identities || seed === undefined || Number.isNaN(seed))
    throw new UsageError(USAGE, "a number or a choice is wrong");
  if (forward !== "every" && forward !== "changes") throw new UsageError(USAGE, "a number or a choice is wrong");
  const faults = faultsMet(forward).filter(({ name }) => values.only === undefined || name === values.only);
  if (faults.length === 0) {
    const names = faultsMet("changes").map(({ name }) => `  ${name}`);
    throw new UsageError(USAGE, `--only: no such fault with --forward ${forward}; there are\n${names.join("\n")}`);
  }
  console.log(`seed ${seed}, ${faults.length} x ${events} events of ${identities} identities, forward ${forward}`);
  console.log(["fault".padEnd(34), ...COLUMNS.map(([title]) => title.padStart(10)), "  dead-lettered"].join(""));
  let bad = 0;
  for (const fault of faults) {
    const result = await runScenario(fault, { events, identities, seed, forward });
    bad += result.lost + result.reordered + result.invented;
    const reasons = Object.entries(result.deadLettered).map(([reason, count]) => `${count} ${reason}`);
    const cells = COLUMNS.map(([, cell]) => String(cell(result)).padStart(10));
    console.log([fault.name.padEnd(34), ...cells, `  ${reasons.join(", ")}`].join(""));
  }
  console.log(bad === 0 ? "nothing lost, nothing reordered" : `${bad} lost, reordered or invented`);
  if (bad > 0) process.exitCode = 1;
}

const COLUMNS: readonly (readonly [title: string, cell: (result: Result) => string | number])[] = [
  ["strikes", ({ strikes }) => strikes],
  ["events", ({ events }) => events],
  ["accepted", ({ accepted }) => accepted],
  ["delivered", ({ delivered }) => delivered],
  ["duplicate", ({ duplicates }) => duplicates],
  ["reordered", ({ reordered }) => reordered],
  ["lost", ({ lost }) => lost],
  ["worst", ({ worstDelay }) => `${Math.round(worstDelay / 1_000)} s`],
];

main().catch(endWith);
