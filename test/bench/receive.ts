import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { bytesOf, evaluationPayload, flagPayload, webhookEvent } from "../cloud/events";
import { type Bench, type Samples, startVariant, type Warm } from "./bench";
import { check, type Wanted } from "./check";
import { SECRET } from "./loopback-cloud";
import type { VariantProcess } from "./process";

const RECEIVERS = ["receive", "sdk", "segmentNode"] as const;
const FLAGS = 10;

const traitOf = (i: number) => (i % 3 === 0 ? i : `variant-${i}`);

export const flagsOf = (count: number) =>
  Array.from({ length: count }, (_, i) => flagPayload({ name: `feature_${i}`, value: traitOf(i) }));

export function webhookOf(count: number): APIGatewayProxyEventV2 {
  return webhookEvent({ body: bytesOf(evaluationPayload({ flags: flagsOf(count) })), secret: SECRET });
}

/** What a variant must have delivered for so many webhooks. */
function wantedOf(variant: string, webhooks: number): Wanted {
  const answer = { statusCode: 202 };
  const traits = Object.fromEntries(Array.from({ length: FLAGS }, (_, i) => [`feature_${i}`, traitOf(i)]));
  return variant === "segmentNode" ? { answer, calls: webhooks, traits } : { answer, messages: webhooks, traits };
}

/** Time for the import and the first accepted webhook, each time in a new process. The variants run by turns. */
export async function receiveCold(bench: Bench, rounds: number): Promise<Samples> {
  const event = webhookOf(FLAGS);
  const times: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const variant of RECEIVERS) {
      const child = startVariant(bench, variant);
      const { milliseconds, result } = await child.measure<{ milliseconds: number; result: unknown }>("cold", { event });
      check(variant, result, bench.cloud.take(), wantedOf(variant, 1));
      times[variant] = [...(times[variant] ?? []), milliseconds];
      await child.stop();
    }
  }
  return times;
}

/** CPU of an accepted webhook of 10 flags. Every variant is warm, and the variants run by turns. */
export async function receiveWarm(bench: Bench, rounds: number): Promise<Samples> {
  const event = webhookOf(FLAGS);
  const children = RECEIVERS.map((variant) => ({ variant, child: startVariant(bench, variant) }));
  const cpuOf = async (variant: string, child: VariantProcess, count: number) => {
    const { cpu, result } = await child.measure<Warm>("warm", { event, count });
    check(variant, result, bench.cloud.take(), wantedOf(variant, count));
    return cpu;
  };
  for (const { variant, child } of children) await cpuOf(variant, child, 5_000);
  const times: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const { variant, child } of children) {
      times[variant] = [...(times[variant] ?? []), await cpuOf(variant, child, 500)];
    }
  }
  for (const { child } of children) await child.stop();
  return times;
}

export interface PayloadRow {
  readonly flags: number;
  readonly bytes: number;
  /** CPU of a webhook in milliseconds, one number per round. */
  readonly receive: readonly number[];
}

/** Flags, and the calls that they become: a call has at most 299 traits and 32,000 bytes. */
const PAYLOADS = [
  [10, 1],
  [100, 1],
  [1_000, 4],
  [5_000, 17],
] as const;

/** CPU of a webhook, by the number of its flags. */
export async function receivePayload(bench: Bench, rounds: number): Promise<readonly PayloadRow[]> {
  const child = startVariant(bench, "receive");
  const sizes = PAYLOADS.map(([flags, calls]) => {
    const event = webhookOf(flags);
    const count = Math.max(20, Math.round(20_000 / flags));
    const receive: number[] = [];
    return {
      input: { event, count },
      wanted: { answer: { statusCode: 202 }, messages: count * calls },
      row: { flags, bytes: Buffer.byteLength(event.body ?? ""), receive },
    };
  });
  // The sizes run by turns. The first round is a warm-up, because what is measured first is cold.
  for (let round = -1; round < rounds; round++) {
    for (const { input, wanted, row } of sizes) {
      const receive = await child.measure<Warm>("warm", input);
      check(`${row.flags} flags`, receive.result, bench.cloud.take(), wanted);
      if (round >= 0) row.receive.push(receive.cpu);
    }
  }
  await child.stop();
  return sizes.map(({ row }) => row);
}
