import type { SQSEvent } from "aws-lambda";
import { callBody, queueEvent, queueRecord } from "../cloud/events";
import { type Bench, type Samples, startVariant, type Warm } from "./bench";
import { check } from "./check";
import type { VariantProcess } from "./process";

const BATCH = 10;
/** For each variant. */
const PROCESSES = 5;
/** Rounds until V8 has compiled all of it: undici has more to compile, and would look slower for longer. */
const WARM_UP = 25;
/** Milliseconds that a slow Segment takes. */
export const SLOW_SEGMENT = 200;

const traits = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`feature_${i}`, `variant-${i}`]));

function batchOf(): SQSEvent {
  return queueEvent(
    ...Array.from({ length: BATCH }, (_, i) => {
      const identity = `person-${i}`;
      return queueRecord({ id: `sqs-${i}`, identity, body: callBody({ identity, messageId: `m-${i}`, traits }) });
    }),
  );
}

/** As many batches, each of whose calls must have come to Segment. */
async function measure(
  { cloud }: Bench,
  variant: string,
  child: VariantProcess,
  event: SQSEvent,
  count: number,
): Promise<Warm> {
  const measured = await child.measure<Warm>("warm", { event, count });
  const answer = { batchItemFailures: [] };
  check(variant, measured.result, cloud.take(), { answer, calls: count * BATCH, traits });
  return measured;
}

/** Identify calls for each second of CPU, beside a bare loop. Each process differs from the next, by what V8 makes of it. */
export async function deliverWarm(bench: Bench, rounds: number): Promise<Samples> {
  const rates: Record<string, number[]> = {};
  for (let i = 0; i < PROCESSES; i++) await addRates(rates, bench, Math.ceil(rounds / PROCESSES));
  return rates;
}

async function addRates(rates: Record<string, number[]>, bench: Bench, rounds: number): Promise<void> {
  const event = batchOf();
  const children = [
    { variant: "undiciLoop", child: startVariant(bench, "undiciLoop") },
    { variant: "deliver", child: startVariant(bench, "deliver") },
  ];
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const { variant, child } of children) {
      const { cpu } = await measure(bench, variant, child, event, 100);
      if (round < 0) continue;
      rates[variant] = [...(rates[variant] ?? []), (1_000 * BATCH) / cpu];
    }
  }
  for (const { child } of children) await child.stop();
}

/** Wall time of a batch of ten people, when Segment takes its time: they must overlap. */
export async function deliverOverlap(bench: Bench, rounds: number): Promise<readonly number[]> {
  const child = startVariant(bench, "deliver");
  const event = batchOf();
  await measure(bench, "deliver", child, event, 5);
  bench.cloud.delay = SLOW_SEGMENT;
  const walls: number[] = [];
  for (let round = 0; round < rounds; round++) {
    walls.push((await measure(bench, "deliver", child, event, 1)).wall);
  }
  bench.cloud.delay = 0;
  await child.stop();
  return walls;
}
