import { medians, type Samples } from "./bench";
import { costPerMillion, costTable, workloadOf } from "./cost";
import { SLOW_SEGMENT } from "./deliver";
import type { EndToEnd } from "./end-to-end";
import type { Memory } from "./memory";
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

/** One figure beside what it is to be. */
interface Row {
  readonly what: string;
  readonly measured: string;
  readonly ratio: number;
  readonly wanted: { readonly atMost: number } | { readonly atLeast: number };
  /** Of the ratio and of what is wanted: "x floor", "KB". */
  readonly unit: string;
}

function rowsOf(numbers: Numbers): readonly Row[] {
  const cold = medians(numbers.cold);
  const warm = medians(numbers.warm);
  const { deliver = Number.NaN, undiciLoop = Number.NaN } = medians(numbers.deliver);
  const over = (values: Readonly<Record<string, number>>, base: string) =>
    (values.receive ?? Number.NaN) / (values[base] ?? Number.NaN);
  const milliseconds = (value = Number.NaN, digits = 1) => `${value.toFixed(digits)} ms`;
  const wall = median(numbers.overlap);
  const growth = Math.max(...numbers.memory.map(({ rss: [first = 0, second = 0] }) => second - first));
  const { receive: receiveBundle = Number.NaN, deliver: deliverBundle = Number.NaN } = numbers.bundles;
  const { total } = costPerMillion(workloadOf({ eventsPerSecond: 100, forward: "every" }, measuredOf(numbers), "receive"));
  return [
    {
      what: "receive, cold: import and first webhook",
      measured: milliseconds(cold.receive),
      ratio: over(cold, "sdk"),
      wanted: { atMost: 0.45 },
      unit: "x SDK",
    },
    {
      what: "the same",
      measured: milliseconds(cold.receive),
      ratio: over(cold, "floor"),
      wanted: { atMost: 1.7 },
      unit: "x floor",
    },
    {
      what: "receive, warm: CPU per webhook of 10 flags",
      measured: milliseconds(warm.receive, 3),
      ratio: over(warm, "sdk"),
      wanted: { atMost: 0.55 },
      unit: "x SDK",
    },
    ...numbers.payload
      .slice(2)
      .map((row) => ({
        what: `receive, CPU per webhook of ${row.flags.toLocaleString("en")} flags`,
        measured: milliseconds(median(row.receive), 2),
        ratio: median(row.receive) / median(row.reference),
        wanted: { atMost: 2 },
        unit: "x HMAC + JSON",
      })),
    {
      what: "deliver, calls per second of CPU",
      measured: deliver.toFixed(0),
      ratio: deliver / undiciLoop,
      wanted: { atLeast: 0.65 },
      unit: "x undici's loop",
    },
    {
      what: `deliver, ten people while Segment takes ${SLOW_SEGMENT} ms`,
      measured: milliseconds(wall, 0),
      ratio: wall / SLOW_SEGMENT,
      wanted: { atMost: 1.3 },
      unit: "x that",
    },
    {
      what: "receive, memory from 10,000 to 20,000 webhooks",
      measured: `${growth.toFixed(1)} MB`,
      ratio: growth,
      wanted: { atMost: 5 },
      unit: "MB more",
    },
    {
      what: "bundle of receive",
      measured: `${receiveBundle.toFixed(0)} KB`,
      ratio: receiveBundle,
      wanted: { atMost: 120 },
      unit: "KB",
    },
    {
      what: "bundle of deliver",
      measured: `${deliverBundle.toFixed(0)} KB`,
      ratio: deliverBundle,
      wanted: { atMost: 700 },
      unit: "KB",
    },
    {
      what: "a million evaluations at 100 per second",
      measured: `$${total.toFixed(2)}`,
      ratio: total,
      wanted: { atMost: 4 },
      unit: "dollars",
    },
  ];
}

function measuredOf({ warm, deliver }: Numbers) {
  return { warm: medians(warm), deliver: 1_000 / (medians(deliver).deliver ?? Number.NaN) };
}

/** The table of README.md in this folder. False if a row falls short. */
export function print(numbers: Numbers): boolean {
  console.log(`${numbers.machine}; plain HTTP on loopback; medians of ${numbers.rounds} rounds, variants by turns\n`);
  console.log("| | measured | | wanted | |\n|---|---|---|---|---|");
  const rows = rowsOf(numbers).map((row) => ({ ...row, ok: isReached(row) }));
  for (const { what, measured, ratio, wanted, unit, ok } of rows) {
    const bound = "atMost" in wanted ? `at most ${wanted.atMost}` : `at least ${wanted.atLeast}`;
    console.log(`| ${what} | ${measured} | ${ratio.toFixed(2)} ${unit} | ${bound} | ${ok ? "ok" : "falls short"} |`);
  }
  const [rate, p50, p99] = (["rate", "p50", "p99"] as const).map((name) =>
    median(numbers.endToEnd.map((round) => round[name])).toFixed(0),
  );
  console.log(`\nend to end, the local cloud in one process: ${rate} events per second, p50 ${p50} ms, p99 ${p99} ms`);
  console.log("\ndollars per million evaluations");
  for (const row of costTable(measuredOf(numbers))) console.log(row);
  return rows.every(({ ok }) => ok);
}

function isReached({ ratio, wanted }: Row): boolean {
  return "atMost" in wanted ? ratio <= wanted.atMost : ratio >= wanted.atLeast;
}
