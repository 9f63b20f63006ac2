import { endWith, parseOptions, type Usage, UsageError } from "../support/usage";
import { type CampaignOptions, type Result, runScenario } from "./campaign";
import { runColdBurst } from "./cold-burst";
import { type Fault, faultsMet, forContainers, verdictOn } from "./faults";

const USAGE: Usage = {
  call: "npm run faults -- [--events n] [--identities n] [--seed n] [--forward every|changes] [--containers n] [--only 'name of a row']",
  help: `  --events <n>       of each row; default 640
  --identities <n>   users who send them; default 500
  --seed <n>         repeats a run
  --forward changes  adds the rows of DynamoDB
  --containers <n>   that share the work; default 3
  --only <name>      one row
Strikes the pipeline with one failure per row, and ends with 1 if anything was lost or reordered`,
};

const COLD_BURST = "cold burst at SSM";

/** Runs each row and prints a table. Exits with 1 if anything was lost, reordered or not as promised. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, {
    options: {
      events: { type: "string", default: "640" },
      identities: { type: "string", default: "500" },
      seed: { type: "string", default: String(Date.now() % 2 ** 31) },
      forward: { type: "string" },
      containers: { type: "string", default: "3" },
      only: { type: "string" },
    },
  });
  const [events, identities, seed, containers] = [values.events, values.identities, values.seed, values.containers].map(Number);
  if (!events || !identities || !containers || seed === undefined || Number.isNaN(seed)) {
    throw new UsageError(USAGE, "--events, --identities, --seed and --containers are numbers");
  }
  // The rows of DynamoDB need the value "changes".
  const { only, forward = only?.startsWith("DynamoDB") ? "changes" : "every" } = values;
  if (forward !== "every" && forward !== "changes") throw new UsageError(USAGE, "--forward: allowed is every or changes");
  const faults = faultsMet(forward).filter(({ name }) => only === undefined || name === only);
  if (faults.length === 0 && only !== COLD_BURST) {
    const names = [...faultsMet("changes").map(({ name }) => name), COLD_BURST].map((name) => `  ${name}`);
    throw new UsageError(USAGE, `--only: no such fault with --forward ${forward}; there are\n${names.join("\n")}`);
  }
  console.log(`seed ${seed}, ${faults.length} rows of ${events} events of ${identities} users, unless a row says otherwise,`);
  console.log(`${containers} containers of each function, forward ${forward}`);
  console.log([NAME.padEnd(34), ...COLUMNS.map(([title]) => title.padStart(10)), "  dead-lettered"].join(""));
  let bad = 0;
  const rows = faults.map((fault) => forContainers(containers, fault));
  for (const fault of rows) bad += await runRow(fault, { events, identities, seed, forward, containers });
  if (only === undefined || only === COLD_BURST) bad += await runBurst();
  console.log(
    bad === 0
      ? "all as promised: nothing lost, nothing reordered"
      : `${bad} times lost, reordered, invented or not as promised`,
  );
  if (bad > 0) process.exitCode = 1;
}

const NAME = "fault";

async function runRow(fault: Fault, options: CampaignOptions): Promise<number> {
  const result = await runScenario(fault, options);
  const verdict = verdictOn(fault, result);
  const reasons = Object.entries(result.deadLettered).map(([reason, count]) => `${count} ${reason}`);
  const cells = COLUMNS.map(([, cell]) => String(cell(result)).padStart(10));
  const notes = [...reasons, ...verdict.map((text) => `NOT PROMISED: ${text}`)];
  console.log([fault.name.padEnd(34), ...cells, `  ${notes.join(", ")}`].join(""));
  return result.lost + result.reordered + result.invented + verdict.length;
}

async function runBurst(): Promise<number> {
  const { events, accepted, lost, containers, reads } = await runColdBurst(8);
  console.log(
    `${COLD_BURST}: ${events} webhooks in 8 s, ${accepted} accepted, ${lost} lost; ${containers} containers made ${reads} reads`,
  );
  return lost;
}

const seconds = (milliseconds: number) => `${Math.round(milliseconds / 1_000)} s`;

const COLUMNS: readonly (readonly [title: string, cell: (result: Result) => string | number])[] = [
  ["strikes", ({ strikes }) => strikes],
  ["events", ({ events }) => events],
  ["accepted", ({ accepted }) => accepted],
  ["delivered", ({ delivered }) => delivered],
  ["duplicate", ({ duplicates }) => duplicates],
  ["reordered", ({ reordered }) => reordered],
  ["lost", ({ lost }) => lost],
  ["waiting", ({ waiting }) => waiting],
  ["worst", ({ worstDelay }) => seconds(worstDelay)],
  ["others", ({ othersWorstDelay }) => seconds(othersWorstDelay)],
];

main().catch(endWith);
