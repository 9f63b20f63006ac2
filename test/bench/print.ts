import { medians, type Samples } from "./bench";
import { costPerMillion, costTable, lambdaDollars, workloadOf } from "./cost";
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
  /** Calls per second of CPU. */
  readonly deliver: readonly number[];
  readonly overlap: readonly number[];
  readonly memory: readonly Memory[];
  readonly endToEnd: readonly EndToEnd[];
  readonly bundles: Readonly<Record<string, number>>;
}

/** One figure beside its target. */
interface Row {
  readonly what: string;
  readonly measured: string;
  readonly ratio: number;
  readonly wanted: { readonly atMost: number } | { readonly atLeast: number };
  /** Unit of the ratio and of the target, such as "x with the SDK" or "KB". */
  readonly unit: string;
}

/** Cold starts per million webhooks: a container lives for hours, and 100 webhooks per second need only a few containers. */
const COLD_STARTS = 1_000;
/** Requests per second that Segment accepts for a workspace. */
const SEGMENT_LIMIT = 1_000;

function rowsOf(numbers: Numbers): readonly Row[] {
  const cold = medians(numbers.cold);
  const warm = medians(numbers.warm);
  const milliseconds = (value = Number.NaN, digits = 1) => `${value.toFixed(digits)} ms`;
  const rate = median(numbers.deliver);
  const wall = median(numbers.overlap);
  const growth = Math.max(...numbers.memory.map(({ rss: [first = 0, second = 0] }) => second - first));
  const cpuOf = (flags: number) => median(numbers.payload.find((row) => row.flags === flags)?.receive ?? []);
  const [thousand, fiveThousand] = [cpuOf(1_000), cpuOf(5_000)];
  const bundleRow = (name: "receive" | "deliver", atMost: number): Row => {
    const size = numbers.bundles[name] ?? Number.NaN;
    return { what: `bundle of ${name}`, measured: `${size.toFixed(0)} KB`, ratio: size, wanted: { atMost }, unit: "KB" };
  };
  const totalOf = (forward: "every" | "changes") =>
    costPerMillion(workloadOf({ eventsPerSecond: 100, forward }, measuredOf(numbers), "receive")).total;
  const bill = (forward: "every" | "changes", atMost: number): Row => {
    const total = totalOf(forward);
    const what = `bill of a million evaluations at 100 per second, ${forward}`;
    return { what, measured: `$${total.toFixed(2)}`, ratio: total, wanted: { atMost }, unit: "dollars" };
  };
  const coldDollars = lambdaDollars(COLD_STARTS * (cold.receive ?? Number.NaN));
  return [
    {
      what: "receive, cold start: import and first webhook",
      measured: milliseconds(cold.receive),
      ratio: (cold.receive ?? Number.NaN) / (cold.sdk ?? Number.NaN),
      wanted: { atMost: 0.35 },
      unit: "x with the SDK",
    },
    {
      what: "receive, 1,000 cold starts per million webhooks",
      measured: `$${coldDollars.toFixed(4)}`,
      ratio: (100 * coldDollars) / totalOf("every"),
      wanted: { atMost: 1 },
      unit: "% of the bill",
    },
    {
      what: "receive, warm: own time per webhook of 10 flags",
      measured: milliseconds(warm.receive, 2),
      ratio: warm.receive ?? Number.NaN,
      wanted: { atMost: 5 },
      unit: "ms",
    },
    {
      what: "receive, from 1,000 to 5,000 flags",
      measured: `${milliseconds(thousand)} to ${milliseconds(fiveThousand)}`,
      ratio: fiveThousand / thousand,
      wanted: { atMost: 6 },
      unit: "x the time for 5 x the flags",
    },
    {
      what: "deliver, calls per second on one core",
      measured: rate.toFixed(0),
      ratio: rate / SEGMENT_LIMIT,
      wanted: { atLeast: 3 },
      unit: "x Segment's limit",
    },
    {
      what: `deliver, a batch of ten users while Segment answers after ${SLOW_SEGMENT} ms`,
      measured: milliseconds(wall, 0),
      ratio: wall / SLOW_SEGMENT,
      wanted: { atMost: 1.3 },
      unit: "x Segment's time",
    },
    {
      what: "receive, memory from 20,000 to 40,000 webhooks",
      measured: `${growth.toFixed(1)} MB`,
      ratio: growth,
      wanted: { atMost: 5 },
      unit: "MB more",
    },
    bundleRow("receive", 120),
    bundleRow("deliver", 700),
    bill("every", 4),
    bill("changes", 4.2),
  ];
}

function measuredOf({ warm, deliver }: Numbers) {
  return { warm: medians(warm), deliver: 1_000 / median(deliver) };
}

/** Prints the table of README.md in this folder. Returns false if a row falls short. */
export function print(numbers: Numbers): boolean {
  console.log(`${numbers.machine}; plain HTTP on loopback; medians of ${numbers.rounds} rounds, variants by turns\n`);
  console.log("| | measured | | target | |\n|---|---|---|---|---|");
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
