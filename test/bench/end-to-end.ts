import { startLocalCloud } from "../local/cloud";
import { postSigned } from "../local/post";
import { bytesOf, evaluationPayload } from "../support/builders";
import { flagsOf } from "./receive";

const EVENTS = 2_000;
const IDENTITIES = 200;
const PARALLEL = 20;
const SECRET = "bench-secret";

export interface EndToEnd {
  /** Events a second, from the first POST to the last call at Segment. */
  readonly rate: number;
  /** Milliseconds from POST to Segment. */
  readonly p50: number;
  readonly p99: number;
}

/** The whole local cloud in one process: HTTP front, both functions, the emulator, the event source and the sink share one core. */
export async function endToEnd(): Promise<EndToEnd> {
  process.env.POWERTOOLS_LOG_LEVEL = "SILENT";
  const cloud = await startLocalCloud({
    port: 0,
    webhookSecret: SECRET,
    writeKey: "key",
    load: async () => ({
      receive: (await import("../../lambda/receive.lambda")).handler,
      deliver: (await import("../../lambda/deliver.lambda")).handler,
    }),
  });
  const postedAt = new Map<string, number>();
  const arrivedAt = new Map<string, number>();
  cloud.sink.onCall(({ body }) => arrivedAt.set(String(body.messageId), performance.now()));
  const flags = flagsOf(10);
  let next = 0;
  const started = performance.now();
  const send = async () => {
    while (next < EVENTS) {
      const body = bytesOf(evaluationPayload({ identity: `person-${next++ % IDENTITIES}`, flags }));
      const at = performance.now();
      const answer = await postSigned(cloud.webhookUrl, body, SECRET);
      postedAt.set(JSON.parse(answer.body).messageId, at);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, send));
  while (arrivedAt.size < EVENTS) await new Promise((resolve) => setTimeout(resolve, 5));
  const seconds = (Math.max(...arrivedAt.values()) - started) / 1_000;
  await cloud.stop();
  const delays = [...postedAt]
    .map(([id, at]) => (arrivedAt.get(id) ?? Number.NaN) - at)
    .sort((a, b) => a - b);
  const percentile = (share: number) => delays[Math.ceil(share * delays.length) - 1] ?? Number.NaN;
  return { rate: EVENTS / seconds, p50: percentile(0.5), p99: percentile(0.99) };
}
