import type { APIGatewayProxyEventV2, SQSEvent } from "aws-lambda";
import {
  bytesOf,
  callBody,
  evaluationPayload,
  flagPayload,
  queueEvent,
  queueRecord,
  webhookEvent,
} from "../support/builders";
import type { BenchBundles } from "./bundles";
import { type LoopbackCloud, SECRET } from "./loopback-cloud";
import { median, VariantProcess } from "./process";

export interface Bench {
  readonly node: string;
  readonly cloud: LoopbackCloud;
  readonly bundles: BenchBundles;
}

interface Warm {
  readonly cpu: number;
  readonly wall: number;
  readonly result: unknown;
}

/** Medians by variant. */
export type Medians = Readonly<Record<string, number>>;

const RECEIVERS = ["floor", "receive", "sdk", "segmentNode"] as const;

export const flagsOf = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    flagPayload({ name: `feature_${i}`, value: i % 3 === 0 ? i : `variant-${i}` }),
  );

export function webhookOf(count: number): APIGatewayProxyEventV2 {
  return webhookEvent({ body: bytesOf(evaluationPayload({ flags: flagsOf(count) })), secret: SECRET });
}

/** Import and first accepted webhook, in a fresh process each time, the variants taking turns. */
export async function receiveCold({ node, cloud, bundles }: Bench, rounds: number): Promise<Medians> {
  const event = webhookOf(10);
  const times: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const variant of RECEIVERS) {
      const child = new VariantProcess(node, bundles[variant], cloud.environment);
      const { milliseconds, result } = await child.measure<{ milliseconds: number; result: unknown }>(
        "cold",
        { event },
      );
      assertAccepted(variant, result);
      times[variant] = [...(times[variant] ?? []), milliseconds];
      await child.stop();
    }
  }
  return medians(times);
}

/** CPU of an accepted 10-flag webhook, all variants warm, in rounds by turns. */
export async function receiveWarm({ node, cloud, bundles }: Bench, rounds: number): Promise<Medians> {
  const event = webhookOf(10);
  const children = RECEIVERS.map((variant) => ({
    variant,
    child: new VariantProcess(node, bundles[variant], cloud.environment),
  }));
  for (const { variant, child } of children) {
    const { result } = await child.measure<Warm>("warm", {
      event,
      count: variant === "segmentNode" ? 100 : 5_000,
    });
    assertAccepted(variant, result);
    if (variant !== "floor") assertTraits(variant, cloud.lastTraits(), 10);
  }
  const times: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const { variant, child } of children) {
      const { cpu } = await child.measure<Warm>("warm", {
        event,
        count: variant === "segmentNode" ? 10 : 500,
      });
      times[variant] = [...(times[variant] ?? []), cpu];
    }
  }
  for (const { child } of children) await child.stop();
  return medians(times);
}

export interface PayloadRow {
  readonly flags: number;
  readonly bytes: number;
  readonly receive: number;
  readonly reference: number;
}

/** CPU against the size of the body, beside HMAC + JSON.parse + JSON.stringify of the same bytes. */
export async function receivePayload(
  { node, cloud, bundles }: Bench,
  rounds: number,
): Promise<readonly PayloadRow[]> {
  const rows: PayloadRow[] = [];
  const child = new VariantProcess(node, bundles.receive, cloud.environment);
  for (const flags of [10, 100, 1_000, 5_000]) {
    const event = webhookOf(flags);
    const count = Math.max(20, Math.round(20_000 / flags));
    const samples: { receive: number; reference: number }[] = [];
    await child.measure("warm", { event, count });
    for (let round = 0; round < rounds; round++) {
      const { cpu: receive } = await child.measure<Warm>("warm", { event, count });
      const { cpu: reference } = await child.measure<Warm>("reference", { event, count });
      samples.push({ receive, reference });
    }
    rows.push({
      flags,
      bytes: Buffer.byteLength(event.body ?? ""),
      receive: median(samples.map((sample) => sample.receive)),
      reference: median(samples.map((sample) => sample.reference)),
    });
  }
  await child.stop();
  return rows;
}

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
export async function deliverWarm({ node, cloud, bundles }: Bench, rounds: number): Promise<Medians> {
  const event = batchOf();
  const children = (["undiciLoop", "deliver"] as const).map((variant) => ({
    variant,
    child: new VariantProcess(node, bundles[variant], cloud.environment),
  }));
  const rates: Record<string, number[]> = {};
  for (const { child } of children) await child.measure("warm", { event, count: 200 });
  for (let round = 0; round < rounds; round++) {
    for (const { variant, child } of children) {
      const { cpu } = await child.measure<Warm>("warm", { event, count: 100 });
      rates[variant] = [...(rates[variant] ?? []), (1_000 * BATCH) / cpu];
    }
  }
  for (const { child } of children) await child.stop();
  return medians(rates);
}

/** Wall time of a batch of ten people, when Segment takes its time: they must overlap. */
export async function deliverOverlap({ node, cloud, bundles }: Bench, delay: number): Promise<number> {
  const child = new VariantProcess(node, bundles.deliver, cloud.environment);
  await child.measure("warm", { event: batchOf(), count: 5 });
  cloud.delay = delay;
  const { wall } = await child.measure<Warm>("warm", { event: batchOf(), count: 5 });
  cloud.delay = 0;
  await child.stop();
  return wall;
}

/** Megabytes that a receive grows by over 10,000 webhooks, once it is warm. */
export async function receiveMemory({ node, cloud, bundles }: Bench): Promise<number> {
  const child = new VariantProcess(node, bundles.receive, cloud.environment);
  const event = webhookOf(10);
  await child.measure("warm", { event, count: 3_000 });
  const before = await child.measure<{ rss: number }>("memory");
  await child.measure("warm", { event, count: 10_000 });
  const after = await child.measure<{ rss: number }>("memory");
  await child.stop();
  return after.rss - before.rss;
}

function medians(values: Readonly<Record<string, readonly number[]>>): Medians {
  return Object.fromEntries(Object.entries(values).map(([variant, samples]) => [variant, median(samples)]));
}

function assertAccepted(variant: string, result: unknown): void {
  if (Object(result).statusCode !== 202) throw new Error(`${variant} answered ${JSON.stringify(result)}`);
}

/** A variant that delivers other traits is none. */
function assertTraits(variant: string, traits: unknown, count: number): void {
  const expected = Object.fromEntries(
    flagsOf(count).map((flag) => [Object(flag).feature.name, Object(flag).feature_state_value]),
  );
  const sorted = (object: unknown) => JSON.stringify(Object.entries(Object(object)).sort());
  if (sorted(traits) !== sorted(expected))
    throw new Error(`${variant} delivers other traits: ${JSON.stringify(traits)}`);
}
