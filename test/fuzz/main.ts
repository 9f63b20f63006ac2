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
/** A slow request is measured again, because the machine may have been busy. */
const MEASUREMENTS = 5;

/** Sends requests until the time is over. @throws Error at the first wrong answer. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, { options: { seconds: { type: "string", default: "30" }, seed: { type: "string" } } });
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const seconds = Number(values.seconds);
  if (!(seconds > 0) || Number.isNaN(seed)) throw new UsageError(USAGE, "--seconds is a number above 0, --seed a number");
  console.error(`mutated and forged webhooks for ${seconds} s, seed ${seed}`);
  const random = seeded(seed);
  let count = 0;
  let worst = 0;
  for (const end = Date.now() + 1_000 * seconds; Date.now() < end; count++) {
    const request = generate(random);
    const { fault, ...judged } = await judge(request);
    let { cpu } = judged;
    for (let again = 1; cpu > MAX_CPU && again < MEASUREMENTS; again++) cpu = Math.min(cpu, (await judge(request)).cpu);
    worst = Math.max(worst, cpu);
    const wrong = fault ?? (cpu > MAX_CPU ? `took ${cpu.toFixed(1)} ms of CPU` : undefined);
    if (wrong !== undefined) throw new Error(`request ${count} of seed ${seed}, ${request.bytes.length} bytes: ${wrong}`);
  }
  console.log(`${count} requests, nothing wrong; worst CPU ${worst.toFixed(1)} ms`);
}

main().catch(endWith);
