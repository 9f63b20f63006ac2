import { cpus } from "node:os";
import { endWith, parseOptions, UsageError } from "../support/usage";
import { type Bench, medians, type Samples } from "./bench";
import { buildBundles, kilobytes } from "./bundles";
import { costTable } from "./cost";
import { deliverOverlap, deliverWarm } from "./deliver";
import { type EndToEnd, endToEnd } from "./end-to-end";
import { startLoopbackCloud } from "./loopback-cloud";
import { findNode24, median } from "./process";
import { type Memory, receiveCold, receiveMemory, receivePayload, receiveWarm } from "./receive";

const USAGE = "usage: npm run bench -- [--rounds n] [--json]";
const SLOW_SEGMENT = 200;
const NAMES: Readonly<Record<string, string>> & { readonly silent: string } = {
  receive: "ours",
  silent: "ours without lines",
};

/** One table a subject, every variant in one run on one machine; `--json` gives every sample, `--rounds` more of them. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, {
    options: { json: { type: "boolean" }, rounds: { type: "string", default: "11" } },
  });
  const rounds = Number(values.rounds);
  if (!(rounds > 0)) throw new UsageError(USAGE);
  const { path: node, version } = findNode24();
  const bundles = buildBundles();
  const cloud = await startLoopbackCloud();
  const bench: Bench = { node, cloud, bundles };
  try {
    const machine = `${cpus()[0]?.model}, ${cpus().length} cores, Node.js ${version} (npm package node)`;
    const numbers = {
      machine,
      rounds,
      cold: await receiveCold(bench, rounds),
      warm: await receiveWarm(bench, rounds),
      payload: await receivePayload(bench, rounds),
      deliver: await deliverWarm(bench, rounds),
      overlap: await deliverOverlap(bench, SLOW_SEGMENT),
      memory: await receiveMemory(bench),
      endToEnd: await endToEnd(),
      bundles: {
        receive: kilobytes(bundles.receive),
        deliver: kilobytes(bundles.deliver),
        sdk: kilobytes(bundles.sdk),
        segmentNode: kilobytes(bundles.segmentNode),
      },
    };
    if (values.json) console.log(JSON.stringify(numbers, null, 2));
    else print(numbers);
  } finally {
    cloud.stop();
    bundles.remove();
  }
}

interface Numbers {
  readonly machine: string;
  readonly rounds: number;
  readonly cold: Samples;
  readonly warm: Samples;
  readonly payload: Awaited<ReturnType<typeof receivePayload>>;
  readonly deliver: Samples;
  readonly overlap: number;
  readonly memory: Memory;
  readonly endToEnd: EndToEnd;
  readonly bundles: Readonly<Record<string, number>>;
}

function print(numbers: Numbers): void {
  console.log(`${numbers.machine}; medians of ${numbers.rounds} rounds, variants by turns`);
  compare("receive, cold: import and first accepted webhook", "ms", numbers.cold, ["floor 1.75", "sdk 0.35"]);
  compare("receive, warm: CPU of an accepted webhook of 10 flags", "ms", numbers.warm, [
    "floor 1.4",
    "sdk 0.5",
  ]);
  printPayload(numbers.payload);
  const { undiciLoop = Number.NaN, deliver = Number.NaN, silent = Number.NaN } = medians(numbers.deliver);
  console.log("\ndeliver, identify calls per second of CPU (wanted: at least 0.9 x the bare loop)");
  line("undici loop", undiciLoop.toFixed(0), "1.00");
  line("ours", deliver.toFixed(0), (deliver / undiciLoop).toFixed(2));
  line(NAMES.silent, silent.toFixed(0), (silent / undiciLoop).toFixed(2));
  console.log("\ndeliver, a batch of 10 people while Segment takes 200 ms (wanted: at most 1.3 x)");
  line("ours", `${numbers.overlap.toFixed(0)} ms`, (numbers.overlap / SLOW_SEGMENT).toFixed(2));
  console.log("\nbundles, KB (wanted: receive at most 64)");
  for (const [name, size] of Object.entries(numbers.bundles)) line(name, size.toFixed(1), "");
  console.log("\nreceive, growth of memory over 10,000 webhooks (wanted: at most 5 MB)");
  line("ours", `${numbers.memory.rss.toFixed(1)} MB`, `heap ${numbers.memory.heap.toFixed(2)} MB`);
  const { rate, p50, p99 } = numbers.endToEnd;
  console.log("\nend to end, the local cloud in one process: sustained, and from POST to Segment");
  line("ours", `${rate.toFixed(0)} events/s`, `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`);
  console.log("\ndollars for a million events");
  for (const row of costTable({ warm: medians(numbers.warm), deliver: 1_000 / deliver })) console.log(row);
}

/** The first row is all fixed cost, one call to AWS and one line; what the bytes cost shows above it. */
function printPayload(rows: Numbers["payload"]): void {
  console.log(
    "\nreceive, CPU against payload (wanted: above the fixed cost at most 2 x HMAC + JSON.parse + JSON.stringify)",
  );
  const [fixed, ...others] = rows.map((row) => ({
    ...row,
    ours: median(row.receive),
    theirs: median(row.reference),
  }));
  for (const row of [fixed, ...others]) {
    if (row === undefined || fixed === undefined) return;
    const above = (row.ours - fixed.ours) / (row.theirs - fixed.theirs);
    line(
      `${row.flags} flags, ${Math.round(row.bytes / 1024)} KB`,
      `${row.ours.toFixed(3)} ms`,
      `${(row.ours / row.theirs).toFixed(2)} x ${row.theirs.toFixed(3)} ms${row === fixed ? "" : `, ${above.toFixed(2)} x above the fixed cost`}`,
    );
  }
}

function compare(title: string, unit: string, samples: Samples, wanted: readonly string[]): void {
  const values = medians(samples);
  const { floor = Number.NaN, sdk = Number.NaN } = values;
  console.log(
    `\n${title} (wanted: ours at most ${wanted.join(" and ").replaceAll(" 0", " x 0").replaceAll(" 1", " x 1")})`,
  );
  for (const [variant, value] of Object.entries(values)) {
    line(
      NAMES[variant] ?? variant,
      `${value.toFixed(3)} ${unit}`,
      `${(value / floor).toFixed(2)} x floor, ${(value / sdk).toFixed(2)} x sdk`,
    );
  }
}

function line(name: string, value: string, ratio: string): void {
  console.log(`  ${name.padEnd(20)}${value.padStart(14)}   ${ratio}`);
}

main().catch(endWith);
