import { cpus } from "node:os";
import { endWith, parseOptions, UsageError } from "../support/usage";
import type { Bench } from "./bench";
import { buildBundles, kilobytes } from "./bundles";
import { deliverOverlap, deliverWarm } from "./deliver";
import { endToEnd } from "./end-to-end";
import { startLoopbackCloud } from "./loopback-cloud";
import { receiveMemory } from "./memory";
import { type Numbers, print } from "./print";
import { findNode24 } from "./process";
import { receiveCold, receivePayload, receiveWarm } from "./receive";

const USAGE = "usage: npm run bench -- [--rounds n] [--json]";

/** One table a subject, every variant in one run on one machine; `--json` gives every sample, `--rounds` more of them. */
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
    else print(numbers);
  } finally {
    cloud.stop();
    bundles.remove();
  }
}

async function measure(bench: Bench, machine: string, rounds: number): Promise<Numbers> {
  const { receive, deliver, sdk, segmentNode } = bench.bundles;
  return {
    machine,
    rounds,
    cold: await receiveCold(bench, rounds),
    warm: await receiveWarm(bench, rounds),
    payload: await receivePayload(bench, rounds),
    deliver: await deliverWarm(bench, rounds),
    overlap: await deliverOverlap(bench, rounds),
    memory: await receiveMemory(bench),
    endToEnd: await endToEnd(bench),
    bundles: {
      receive: kilobytes(receive),
      deliver: kilobytes(deliver),
      sdk: kilobytes(sdk),
      segmentNode: kilobytes(segmentNode),
    },
  };
}

main().catch(endWith);
