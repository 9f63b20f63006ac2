import { cpus } from "node:os";
import { endWith, parseOptions, type Usage, UsageError } from "../support/usage";
import type { Bench } from "./bench";
import { buildBundles, kilobytes } from "./bundles";
import { deliverOverlap, deliverWarm } from "./deliver";
import { endToEnd } from "./end-to-end";
import { startLoopbackCloud } from "./loopback-cloud";
import { receiveMemory } from "./memory";
import { type Numbers, print } from "./print";
import { findNode24 } from "./process";
import { receiveCold, receivePayload, receiveWarm } from "./receive";

const USAGE: Usage = {
  call: "npm run bench -- [--rounds n] [--json]",
  help: `  --rounds <n>       samples of each variant; default 11
  --json             every sample
Measures the bundles for about 4 minutes, see test/bench/README.md`,
};

/** Measures every variant in one run and prints a table. `--json` prints every sample instead, `--rounds` sets the number of samples. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, { options: { json: { type: "boolean" }, rounds: { type: "string", default: "11" } } });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError(USAGE, "--rounds: a whole number from 1");
  const { path: node, version } = findNode24();
  const bundles = buildBundles();
  const cloud = await startLoopbackCloud();
  const machine = `${cpus()[0]?.model}, ${cpus().length} cores, Node.js ${version} (npm package node)`;
  try {
    const numbers = await measure({ node, cloud, bundles }, machine, rounds);
    if (values.json) console.log(JSON.stringify(numbers, null, 2));
    else if (!print(numbers)) process.exitCode = 1;
  } finally {
    cloud.stop();
    bundles.remove();
  }
}

/** Minutes that 11 rounds take on two cores. */
const MINUTES = 4;

async function measure(bench: Bench, machine: string, rounds: number): Promise<Numbers> {
  const { receive, deliver, sdk, segmentNode } = bench.bundles;
  console.error(`takes about ${Math.ceil((MINUTES * (rounds + 5)) / 16)} minutes; nothing else should run meanwhile`);
  const step = <Result>(what: string, act: () => Promise<Result>): Promise<Result> => {
    console.error(`measuring ${what}`);
    return act();
  };
  return {
    machine,
    rounds,
    cold: await step("receive, cold (1 of 7)", () => receiveCold(bench, rounds)),
    warm: await step("receive, warm (2 of 7)", () => receiveWarm(bench, rounds)),
    payload: await step("receive, by payload (3 of 7)", () => receivePayload(bench, rounds)),
    deliver: await step("deliver (4 of 7)", () => deliverWarm(bench, rounds)),
    overlap: await step("deliver, slow Segment (5 of 7)", () => deliverOverlap(bench, rounds)),
    memory: await step("memory (6 of 7)", () => receiveMemory(bench)),
    endToEnd: await step("end to end (7 of 7)", () => endToEnd(bench)),
    bundles: {
      receive: kilobytes(receive),
      deliver: kilobytes(deliver),
      sdk: kilobytes(sdk),
      segmentNode: kilobytes(segmentNode),
    },
  };
}

main().catch(endWith);
