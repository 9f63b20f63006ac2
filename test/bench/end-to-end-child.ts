import { postSigned } from "../../infra/cli/send";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { type LocalCloud, startLocalCloud } from "../local/local-cloud";
import type { EndToEnd } from "./end-to-end";
import { flagsOf } from "./receive";

const EVENTS = 3_000;
/** The first round is a warm-up. */
const ROUNDS = 4;
const IDENTITIES = 200;
const PARALLEL = 20;
const SECRET = "bench-secret";
/** Milliseconds to wait for the last events after the last POST. */
const PATIENCE = 60_000;

const body = (i: number) => bytesOf(evaluationPayload({ identity: `user-${i % IDENTITIES}`, flags: flagsOf(10) }));

/** Runs the whole local cloud in one process: HTTP front, both bundles, the fakes and the event source share one core. */
async function main(receive: string, deliver: string): Promise<void> {
  const cloud = await startLocalCloud({
    port: 0,
    webhookSecret: SECRET,
    writeKey: "key",
    // The bundles read the environment when they are loaded.
    load: (environments) => ({
      receive: loadBundle(receive, environments.receive),
      deliver: loadBundle(deliver, environments.deliver),
    }),
  });
  const arrivedAt = new Map<string, number>();
  cloud.segment.onTaken(({ messageId }) => arrivedAt.set(messageId, performance.now()));
  const rounds: EndToEnd[] = [];
  for (let number = 0; number < ROUNDS; number++) rounds.push(await round(cloud, arrivedAt));
  await cloud.stop();
  await new Promise((resolve) => process.send?.(rounds.slice(1), resolve));
}

async function round(cloud: LocalCloud, arrivedAt: ReadonlyMap<string, number>): Promise<EndToEnd> {
  const postedAt = new Map<string, number>();
  const before = arrivedAt.size;
  const started = performance.now();
  let next = 0;
  const send = async () => {
    while (next < EVENTS) {
      const bytes = body(next++);
      const at = performance.now();
      const answer = await postSigned(cloud.webhookUrl, bytes, SECRET);
      postedAt.set(JSON.parse(answer.body).messageId, at);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, send));
  const patience = performance.now() + PATIENCE;
  while (arrivedAt.size < before + EVENTS) {
    if (performance.now() > patience) throw new Error(`${before + EVENTS - arrivedAt.size} events did not come`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const arrivals = [...postedAt].map(([id, at]) => ({ at, arrived: arrivedAt.get(id) ?? Number.NaN }));
  const seconds = (Math.max(...arrivals.map(({ arrived }) => arrived)) - started) / 1_000;
  const delays = arrivals.map(({ at, arrived }) => arrived - at).sort((one, other) => one - other);
  const percentile = (share: number) => delays[Math.ceil(share * delays.length) - 1] ?? Number.NaN;
  return { rate: EVENTS / seconds, p50: percentile(0.5), p99: percentile(0.99) };
}

function loadBundle(file: string, environment: Readonly<Record<string, string>>) {
  Object.assign(process.env, environment);
  return require(file).handler;
}

const [receive = "", deliver = ""] = process.argv.slice(2);
main(receive, deliver).then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
