import type { ReceiveHandler } from "../../lambda/receive/receive";
import { composeReceive } from "../../lambda/wiring";
import { environmentsOf, NAMES } from "../cloud/environments";
import { bytesOf, evaluationPayload, SECRET, webhookEvent } from "../cloud/events";
import { FifoQueue } from "../cloud/fifo-queue";
import { close, listen } from "../cloud/server";
import { FakeSqs } from "../cloud/sqs";
import { FakeSsm } from "../cloud/ssm";
import { captureOutput } from "../support/capture";
import { realMachine } from "../support/machine";

export interface ColdBurst {
  readonly events: number;
  readonly accepted: number;
  /** Events that Flagsmith gave up after three attempts. */
  readonly lost: number;
  readonly containers: number;
  /** Reads of the secret, including those that were throttled. */
  readonly reads: number;
}

const PER_SECOND = 100;
/** A tenth of SSM's quota of 40 per second, as PER_SECOND is a tenth of 1,000 webhooks per second. */
const READS_PER_SECOND = 4;
/** Milliseconds that a container takes to start. */
const COLD_START = 300;
/** Milliseconds before Flagsmith's second and third attempt: between 0.4 and 3 s. */
const RETRIES = [400, 2_600] as const;

/**
 * Sends webhooks in real time while no container runs yet. SSM allows few reads. As on Lambda, each webhook is handled by an idle
 * container or by a new one.
 */
export async function runColdBurst(seconds: number): Promise<ColdBurst> {
  let reads = 0;
  // The account also uses its quota for other purposes, so unused reads do not accumulate.
  let nextAt = Date.now();
  const ssm = new FakeSsm(() => {
    reads++;
    if (Date.now() < nextAt) return "throttled";
    nextAt = Date.now() + 1_000 / READS_PER_SECOND;
    return undefined;
  });
  ssm.set(NAMES.webhookSecret, SECRET);
  const queue = new FifoQueue({
    clock: {
      get now() {
        return Date.now();
      },
    },
    visibility: 60_000,
    retention: 3_600_000,
  });
  const sqs = new FakeSqs({ queues: { "queue.fifo": queue } });
  const [ssmUrl, sqsUrl] = [await listen(ssm.server), await listen(sqs.server)];
  const { receive: environment } = environmentsOf({ sqsUrl, ssmUrl, segmentUrl: sqsUrl });
  const idle: ReceiveHandler[] = [];
  let containers = 0;
  const create = async () => {
    containers++;
    await new Promise((resolve) => setTimeout(resolve, COLD_START));
    return composeReceive(environment, realMachine());
  };
  const invoke = async (number: number, attempt: number): Promise<boolean> => {
    const container = idle.pop() ?? (await create());
    const body = bytesOf(evaluationPayload({ identity: `user-${number % 50}` }));
    const request = webhookEvent({ body, requestId: `${number}-${attempt}`, at: Date.now() });
    const { statusCode } = await container(request, { awsRequestId: `${number}` });
    idle.push(container);
    return statusCode === 202;
  };
  const send = async (number: number): Promise<boolean> => {
    if (await invoke(number, 1)) return true;
    for (const [index, pause] of RETRIES.entries()) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (await invoke(number, index + 2)) return true;
    }
    return false;
  };
  const capture = captureOutput();
  const sends: Promise<boolean>[] = [];
  for (const [startedAt, count] = [Date.now(), seconds * PER_SECOND] as const; sends.length < count; ) {
    const due = Math.min(count, ((Date.now() - startedAt) / 1_000) * PER_SECOND);
    while (sends.length < due) sends.push(send(sends.length));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const results = await Promise.all(sends);
  capture.end();
  await Promise.all([close(ssm.server), close(sqs.server)]);
  const accepted = results.filter(Boolean).length;
  return { events: results.length, accepted, lost: results.length - accepted, containers, reads };
}
