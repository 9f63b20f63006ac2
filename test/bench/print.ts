import { medians, type Samples } from "./bench";
import { costTable } from "./cost";
import { SLOW_SEGMENT } from "./deliver";
import type { EndToEnd } from "./end-to-end";
import { type Memory, MILESTONES } from "./memory";
import { median } from "./process";
import type { PayloadRow } from "./receive";

export interface Numbers {
  readonly machine: string;
  readonly rounds: number;
  readonly cold: Samples;
  readonly warm: Samples;
  readonly payload: readonly PayloadRow[];
  readonly deliver: Samples;
  readonly overlap: readonly number[];
  readonly memory: readonly Memory[];
  readonly endToEnd: readonly EndToEnd[];
  readonly bundles: Readonly<Record<string, number>>;
}

const NAMES: Readonly<Record<string, string>> & { readonly silent: string } = { receive: "ours", silent: "ours without lines" };

/** One table a subject, with what it is to reach. */
export function print(numbers: Numbers): void {
  console.log(`${numbers.machine}; plain HTTP on loopback; medians of ${numbers.rounds} rounds, variants by turns`);
  heading("receive, cold: import and first accepted webhook", "1.75 x floor, 0.35 x sdk");
  compare(numbers.cold);
  heading("receive, warm: CPU of an accepted webhook of 10 flags", "1.4 x floor, 0.5 x sdk");
  compare(numbers.warm);
  printPayload(numbers.payload);
  printDeliver(numbers);
  heading("bundles", "64 KB for receive");
  for (const [name, size] of Object.entries(numbers.bundles)) line(name, `${size.toFixed(1)} KB`, "");
  printMemory(numbers.memory);
  console.log(
    `\nend to end, the local cloud in one process: sustained, and from POST to Segment; medians of ${numbers.endToEnd.length} rounds`,
  );
  const [rate, p50, p99] = (["rate", "p50", "p99"] as const).map((name) =>
    median(numbers.endToEnd.map((round) => round[name])).toFixed(0),
  );
  line("ours", `${rate} events/s`, `p50 ${p50} ms, p99 ${p99} ms`);
  console.log("\ndollars for a million events");
  const { deliver = Number.NaN } = medians(numbers.deliver);
  for (const row of costTable({ warm: medians(numbers.warm), deliver: 1_000 / deliver })) console.log(row);
}

function heading(title: string, atMost: string): void {
  console.log(`\n${title} (wanted: at most ${atMost})`);
}

function line(name: string, value: string, ratio: string): void {
  console.log(`  ${name.padEnd(20)}${value.padStart(14)}   ${ratio}`);
}

function compare(samples: Samples): void {
  const values = medians(samples);
  const { floor = Number.NaN, sdk = Number.NaN } = values;
  for (const [variant, value] of Object.entries(values)) {
    const ratios = `${(value / floor).toFixed(2)} x floor, ${(value / sdk).toFixed(2)} x sdk`;
    line(NAMES[variant] ?? variant, `${value.toFixed(3)} ms`, ratios);
  }
}

/** The first row is all fixed cost, one call to AWS and one line; what the bytes cost shows above it. */
function printPayload(rows: readonly PayloadRow[]): void {
  heading("receive, CPU against payload", "2 x HMAC + JSON.parse + JSON.stringify");
  const [fixed, ...others] = rows.map((row) => ({ ...row, ours: median(row.receive), theirs: median(row.reference) }));
  if (fixed === undefined) return;
  for (const row of [fixed, ...others]) {
    const above = (row.ours - fixed.ours) / (row.theirs - fixed.theirs);
    const behind = row === fixed ? "" : `, ${above.toFixed(2)} x above the fixed cost of the first row`;
    line(
      `${row.flags} flags, ${Math.round(row.bytes / 1024)} KB`,
      `${row.ours.toFixed(3)} ms`,
      `${(row.ours / row.theirs).toFixed(2)} x ${row.theirs.toFixed(3)} ms${behind}`,
    );
  }
}

function printDeliver({ deliver, overlap }: Numbers): void {
  const { undiciLoop = Number.NaN, ...ours } = medians(deliver);
  console.log("\ndeliver, identify calls per second of CPU (wanted: at least 0.9 x a bare loop of undici's)");
  line("undici loop", undiciLoop.toFixed(0), "");
  for (const [variant, rate] of Object.entries(ours)) {
    line(variant === "silent" ? NAMES.silent : "ours", rate.toFixed(0), `${(rate / undiciLoop).toFixed(2)} x`);
  }
  heading(`deliver, a batch of 10 people while Segment takes ${SLOW_SEGMENT} ms`, "1.3 x that");
  const wall = median(overlap);
  line("ours", `${wall.toFixed(0)} ms`, `${(wall / SLOW_SEGMENT).toFixed(2)} x`);
}

function printMemory(processes: readonly Memory[]): void {
  heading("receive, memory in MB after as many webhooks, a process a row", "5 more after 20,000 than after 10,000");
  console.log(`  ${MILESTONES.map((milestone) => milestone.toLocaleString("en").padStart(14)).join("")}`);
  for (const { rss, heap } of processes) {
    const cells = rss.map((size, i) => `${size.toFixed(1)} (heap ${heap[i]?.toFixed(1)})`.padStart(14));
    console.log(`  ${cells.join(" ")}`);
  }
}
