import type { SQSEvent } from "aws-lambda";
import { callBody, queueEvent, queueRecord } from "../support/builders";
import { type Bench, type Samples, startVariant, type Warm } from "./bench";

const BATCH = 10;

function batchOf(): SQSEvent {
  const traits = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`feature_${i}`, `variant-${i}`]));
  return queueEvent(
    ...Array.from({ length: BATCH }, (_, i) => {
      const identity = `person-${i}`;
      return queueRecord({
        id: `sqs-${i}`,
        identity,
        body: callBody({ identity, messageId: `m-${i}`, traits }),
      });
    }),
  );
}

/** Identify calls for each second of CPU, beside a bare loop. */
export async function deliverWarm(bench: Bench, rounds: number): Promise<Samples> {
  const event = batchOf();
  const children = [
    { variant: "undiciLoop", child: startVariant(bench, "undiciLoop") },
    { variant: "deliver", child: startVariant(bench, "deliver") },
    { variant: "silent", child: startVariant(bench, "deliver", true) },
  ];
  const rates: Record<string, number[]> = {};
  // Until V8 has compiled all of it: undici has more to compile, and would look slower for longer.
  for (const { child } of children) await child.measure("warm", { event, count: 1_500 });
  for (let round = 0; round < rounds; round++) {
    for (const { variant, child } of children) {
      const { cpu } = await child.measure<Warm>("warm", { event, count: 100 });
      rates[variant] = [...(rates[variant] ?? []), (1_000 * BATCH) / cpu];
    }
  }
  for (const { child } of children) await child.stop();
  return rates;
}

/** Wall time of a batch of ten people, when Segment takes its time: they must overlap. */
export async function deliverOverlap(bench: Bench, delay: number): Promise<number> {
  const child = startVariant(bench, "deliver");
  await child.measure("warm", { event: batchOf(), count: 5 });
  bench.cloud.delay = delay;
  const { wall } = await child.measure<Warm>("warm", { event: batchOf(), count: 5 });
  bench.cloud.delay = 0;
  await child.stop();
  return wall;
}
