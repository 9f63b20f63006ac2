import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { bytesOf, evaluationPayload, flagPayload, webhookEvent } from "../support/builders";
import { type Bench, type Samples, startVariant, type Warm } from "./bench";
import { SECRET } from "./loopback-cloud";
import type { VariantProcess } from "./process";

const RECEIVERS = ["floor", "receive", "sdk", "segmentNode"] as const;

export const flagsOf = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    flagPayload({ name: `feature_${i}`, value: i % 3 === 0 ? i : `variant-${i}` }),
  );

export function webhookOf(count: number): APIGatewayProxyEventV2 {
  return webhookEvent({ body: bytesOf(evaluationPayload({ flags: flagsOf(count) })), secret: SECRET });
}

/** Import and first accepted webhook, in a fresh process each time, the variants taking turns. */
export async function receiveCold(bench: Bench, rounds: number): Promise<Samples> {
  const event = webhookOf(10);
  const times: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const variant of RECEIVERS) {
      const child = startVariant(bench, variant);
      const { milliseconds, result } = await child.measure<{ milliseconds: number; result: unknown }>(
        "cold",
        { event },
      );
      assertAccepted(variant, result);
      times[variant] = [...(times[variant] ?? []), milliseconds];
      await child.stop();
    }
  }
  return times;
}

/** CPU of an accepted 10-flag webhook, all variants warm, in rounds by turns. */
export async function receiveWarm(bench: Bench, rounds: number): Promise<Samples> {
  const event = webhookOf(10);
  const children: { readonly variant: string; readonly child: VariantProcess }[] = [
    ...RECEIVERS.map((variant) => ({ variant, child: startVariant(bench, variant) })),
    { variant: "silent", child: startVariant(bench, "receive", true) },
  ];
  for (const { variant, child } of children) {
    const { result } = await child.measure<Warm>("warm", {
      event,
      count: variant === "segmentNode" ? 100 : 5_000,
    });
    assertAccepted(variant, result);
    if (variant !== "floor") assertTraits(variant, bench.cloud.lastTraits(), 10);
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
  return times;
}

export interface PayloadRow {
  readonly flags: number;
  readonly bytes: number;
  readonly receive: readonly number[];
  readonly reference: readonly number[];
}

/** CPU against the size of the body, beside HMAC + JSON.parse + JSON.stringify of the same bytes. */
export async function receivePayload(bench: Bench, rounds: number): Promise<readonly PayloadRow[]> {
  const child = startVariant(bench, "receive");
  const sizes = [10, 100, 1_000, 5_000].map((flags) => {
    const event = webhookOf(flags);
    const receive: number[] = [];
    const reference: number[] = [];
    return {
      input: { event, count: Math.max(20, Math.round(20_000 / flags)) },
      row: { flags, bytes: Buffer.byteLength(event.body ?? ""), receive, reference },
    };
  });
  // By turns, after a round for warming up: what is measured first is cold.
  for (let round = -1; round < rounds; round++) {
    for (const { input, row } of sizes) {
      const receive = await child.measure<Warm>("warm", input);
      const reference = await child.measure<Warm>("reference", input);
      if (round < 0) continue;
      row.receive.push(receive.cpu);
      row.reference.push(reference.cpu);
    }
  }
  await child.stop();
  return sizes.map(({ row }) => row);
}

/** Megabytes. */
export interface Memory {
  readonly rss: number;
  readonly heap: number;
}

/** Webhooks until V8's nursery has its final size: it doubles once more within the first 30,000, by itself. */
const GROWN_UP = 40_000;

/** What a grown-up receive grows by over 10,000 webhooks. */
export async function receiveMemory(bench: Bench): Promise<Memory> {
  const child = startVariant(bench, "receive");
  const event = webhookOf(10);
  await child.measure("warm", { event, count: GROWN_UP });
  const before = await child.measure<Memory>("memory");
  await child.measure("warm", { event, count: 10_000 });
  const after = await child.measure<Memory>("memory");
  await child.stop();
  return { rss: after.rss - before.rss, heap: after.heap - before.heap };
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
