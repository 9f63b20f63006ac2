import { type Bench, startVariant, type Warm } from "./bench";
import { check } from "./check";
import { webhookOf } from "./receive";

/** Webhooks after which memory is measured. Within the first 20,000, V8 doubles the space of new objects once. */
const MILESTONES = [20_000, 40_000] as const;
const PROCESSES = 3;

/** Megabytes of a process of receive at each milestone, after a full garbage collection. */
export interface Memory {
  readonly rss: readonly number[];
  readonly heap: readonly number[];
}

/** Measures several processes, one after the other, because their results differ. */
export async function receiveMemory(bench: Bench): Promise<readonly Memory[]> {
  const processes: Memory[] = [];
  for (let i = 0; i < PROCESSES; i++) processes.push(await oneProcess(bench));
  return processes;
}

async function oneProcess(bench: Bench): Promise<Memory> {
  const child = startVariant(bench, "receive");
  const event = webhookOf(10);
  const measured: { readonly rss: number; readonly heap: number }[] = [];
  let done = 0;
  for (const milestone of MILESTONES) {
    const count = milestone - done;
    const { result } = await child.measure<Warm>("warm", { event, count });
    check("receive", result, bench.cloud.take(), { answer: { statusCode: 202 }, messages: count });
    measured.push(await child.measure("memory"));
    done = milestone;
  }
  await child.stop();
  return { rss: measured.map(({ rss }) => rss), heap: measured.map(({ heap }) => heap) };
}
