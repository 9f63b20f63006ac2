import { seeded } from "../support/random";
import { endWith, parseOptions, type Usage, UsageError } from "../support/usage";
import { judge } from "./oracle";
import { generate } from "./requests";

const USAGE: Usage = {
  call: "npm run fuzz -- [--seconds n] [--seed n]",
  help: `  --seconds <n>      default 30
  --seed <n>         repeats a run
Sends mutated and forged webhooks to receive, and ends with 1 at the first wrong answer`,
};
/** Milliseconds of CPU for a body of up to 256 KB. */
const MAX_CPU = 50;
/** Milliseconds between two lines of progress. */
const PROGRESS = 5_000;
/** A slow request is measured again, because the machine may have been busy. */
const MEASUREMENTS = 5;

/** Sends requests until the time is over. Exits with 1 at the first wrong answer. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, { options: { seconds: { type: "string", default: "30" }, seed: { type: "string" } } });
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const seconds = Number(values.seconds);
  if (!(seconds > 0) || Number.isNaN(seed)) throw new UsageError(USAGE, "--seconds is a number above 0, --seed a number");
  console.error(`mutated and forged webhooks for ${seconds} s, seed ${seed}`);
  const random = seeded(seed);
  const counts = new Map<number, number>();
  let worst = 0;
  let toldAt = Date.now();
  for (const end = Date.now() + 1_000 * seconds; Date.now() < end; ) {
    const request = generate(random);
    let { status, fault, cpu } = await judge(request);
    for (let again = 1; cpu > MAX_CPU && again < MEASUREMENTS; again++) {
      cpu = Math.min(cpu, (await judge(request)).cpu);
    }
    if (cpu > MAX_CPU) fault ??= `took ${cpu.toFixed(1)} ms of CPU`;
    counts.set(status, (counts.get(status) ?? 0) + 1);
    worst = Math.max(worst, cpu);
    if (Date.now() - toldAt > PROGRESS) {
      toldAt = Date.now();
      console.error(`${[...counts.values()].reduce((sum, count) => sum + count)} requests, nothing wrong so far`);
    }
    if (fault === undefined) continue;
    const number = [...counts.values()].reduce((sum, count) => sum + count);
    console.error(`request ${number} of seed ${seed}, ${request.bytes.length} bytes: ${fault}`);
    process.exitCode = 1;
    return;
  }
  for (const [status, count] of [...counts].sort(([one], [other]) => one - other)) console.log(`${status}  ${count}`);
  console.log(`nothing wrong; worst CPU ${worst.toFixed(1)} ms`);
}

main().catch(endWith);
