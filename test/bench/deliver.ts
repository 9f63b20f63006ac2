import type { SQSEvent } from "aws-lambda";
import { callBody, queueEvent, queueRecord } from "../cloud/events";
import { type Bench, startVariant, type Warm } from "./bench";
import { check } from "./check";
import type { VariantProcess } from "./process";

const BATCH = 10;
/** V8 compiles differently in each process, so several processes are measured. */
const PROCESSES = 5;
/** Rounds until V8 has compiled all code. */
const WARM_UP = 25;
/** Milliseconds until a slow Segment answers. */
export const SLOW_SEGMENT = 200;

const traits = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`feature_${i}`, `variant-${i}`]));

function batchOf(): SQSEvent {
  return queueEvent(
    ...Array.from({ length: BATCH }, (_, i) => {
      const identity = `user-${i}`;
      return queueRecord({ id: `sqs-${i}`, identity, body: callBody({ identity, messageId: `m-${i}`, traits }) });
    }),
  );
}

/** Delivers `count` batches. Each of their calls must have reached Segment. */
async function measure({ cloud }: Bench, child: VariantProcess, event: SQSEvent, count: number): Promise<Warm> {
  const measured = await child.measure<Warm>("warm", { event, count });
  const answer = { batchItemFailures: [] };
  check("deliver", measured.result, cloud.take(), { answer, calls: count * BATCH, traits });
  return measured;
}

/** Identify calls per second of CPU, one number per round. */
export async function deliverWarm(bench: Bench, rounds: number): Promise<readonly number[]> {
  const event = batchOf();
  const rates: number[] = [];
  for (let i = 0; i < PROCESSES; i++) {
    const child = startVariant(bench, "deliver");
    for (let round = -WARM_UP; round < Math.ceil(rounds / PROCESSES); round++) {
      const { cpu } = await measure(bench, child, event, 100);
      if (round >= 0) rates.push((1_000 * BATCH) / cpu);
    }
    await child.stop();
  }
  return rates;
}

/** Wall time of a batch of ten users while Segment is slow: their requests must overlap. */
export async function deliverOverlap(bench: Bench, rounds: number): Promise<readonly number[]> {
  const child = startVariant(bench, "deliver");
  const event = batchOf();
  await measure(bench, child, event, 5);
  bench.cloud.delay = SLOW_SEGMENT;
  const walls: number[] = [];
  for (let round = 0; round < rounds; round++) {
    walls.push((await measure(bench, child, event, 1)).wall);
  }
  bench.cloud.delay = 0;
  await child.stop();
  return walls;
}
