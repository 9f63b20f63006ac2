import fc from "fast-check";
import type { DeliveredItem } from "../../lambda/adapters/delivered-table";
import { ALWAYS_CHANGED, Changes } from "../../lambda/deliver/changes";
import { deliverHandler } from "../../lambda/deliver/deliver";
import { AwsCallError } from "../../lambda/errors";
import { TIMING } from "../../lambda/timing";
import { callBody, NOON, QUEUE_ARN, toRecord } from "../cloud/events";
import { FifoQueue } from "../cloud/fifo-queue";
import { seeded } from "../faults/random";
import { answered, FakeParameter, FakeQueue, FakeSegment, RecordingLog } from "../support/fakes";
import { describeProperties } from "../support/seed";

type Traits = Readonly<Record<string, number>>;

interface Chances {
  /** Of a call whose answer is lost, that is not taken, and of a container that is killed in mid-batch. */
  readonly lost: number;
  readonly refused: number;
  readonly killed: number;
}

/**
 * One person's evaluations through two containers, in batches of any size. Segment drops known message ids. Gives the profile at
 * the end, and how many messages were merged.
 */
async function simulate(history: readonly Traits[], forward: "every" | "changes", seed: number, chances: Chances) {
  const random = seeded(seed);
  const clock = { now: NOON };
  const now = () => clock.now;
  const queue = new FifoQueue({ clock, visibility: TIMING.visibility, retention: 14 * 24 * 3_600_000 });
  const log = new RecordingLog();
  const profile: Record<string, number> = {};
  const known = new Set<string>();
  // Calls that still get through in this invocation.
  let left = Number.POSITIVE_INFINITY;
  const dead = () => left <= 0;
  const segment = new FakeSegment(({ body, messageId }) => {
    left--;
    if (dead() || random() < chances.refused) return answered(503);
    if (!known.has(messageId)) Object.assign(profile, JSON.parse(body).traits);
    known.add(messageId);
    return answered(random() < chances.lost ? undefined : 200);
  });
  const items = new Map<string, DeliveredItem>();
  const table = {
    read: async (hash: string) => items.get(hash),
    write: async (hash: string, item: DeliveredItem) => {
      if (dead() || random() < chances.refused) throw new AwsCallError("dynamodb:PutItem", "timeout", true);
      const last = items.get(hash);
      if (last === undefined || last.sequence < item.sequence) items.set(hash, item);
    },
  };
  const container = () =>
    deliverHandler({
      queueArn: QUEUE_ARN,
      dryRun: false,
      mergeBacklog: true,
      writeKey: new FakeParameter(["key"]),
      segment,
      comparer: forward === "every" ? ALWAYS_CHANGED : new Changes({ table, log, endpoint: "https://s", refresh: 86_400, now }),
      queue: {
        setVisibility: async (messages, seconds) => {
          if (!dead()) for (const { receiptHandle } of messages) queue.setVisibility(receiptHandle, seconds);
        },
      },
      deadLetterQueue: new FakeQueue(),
      log,
      now,
      random,
      timing: { ...TIMING, secondTryPause: 0 },
    });
  const containers = [container(), container()] as const;
  const invoke = async (): Promise<boolean> => {
    // Batches of all that there is are the ones that come again as they were.
    const messages = queue.receive(random() < 0.5 ? 10 : 1 + Math.floor(random() * 10));
    if (messages.length === 0) return false;
    const killed = random() < chances.killed;
    left = killed ? 1 + Math.floor(random() * messages.length) : Number.POSITIVE_INFINITY;
    const deliver = containers[random() < 0.5 ? 0 : 1];
    const event = { Records: messages.map((message) => toRecord(message)) };
    const context = { awsRequestId: String(random()), getRemainingTimeInMillis: () => TIMING.deliverFunction };
    const { batchItemFailures } = await deliver(event, context);
    const kept = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    if (!killed) for (const { id, receiptHandle } of messages) if (!kept.has(id)) queue.delete(receiptHandle);
    return true;
  };
  for (const [index, traits] of history.entries()) {
    queue.send({
      body: callBody({ traits, messageId: `e${index}-1` }),
      groupId: "p",
      deduplicationId: `e${index}`,
      attributes: {},
    });
    if (random() < 0.1) await invoke();
  }
  while (queue.size > 0) if (!(await invoke())) clock.now = Math.max(clock.now, queue.nextVisibleAt ?? clock.now);
  return { profile, merged: log.lines.filter(({ event }) => event === "merged").length, calls: segment.calls.length };
}

const history = fc.array(fc.dictionary(fc.constantFrom("x", "y", "z"), fc.nat({ max: 2 }), { minKeys: 1, maxKeys: 3 }), {
  minLength: 15,
  maxLength: 60,
  size: "max",
});

describeProperties("merged backlogs", () => {
  it.each(["every", "changes"] as const)(
    "leave Segment with each trait's last value, whatever happens; forward: %s",
    async (forward) => {
      const chances = fc.constantFrom(
        { lost: 0, refused: 0, killed: 0 },
        { lost: 0.2, refused: 0.1, killed: 0.1 },
        { lost: 0.4, refused: 0.2, killed: 0.2 },
      );
      let merged = 0;
      await fc.assert(
        fc.asyncProperty(history, fc.nat(), chances, async (evaluations, seed, chance) => {
          const result = await simulate(evaluations, forward, seed, chance);
          merged += result.merged;
          expect(result.profile).toEqual(Object.assign({}, ...evaluations));
        }),
        { numRuns: 400, endOnFailure: true },
      );
      expect(merged).toBeGreaterThan(0);
    },
  );

  it("take fewer calls than there are messages", async () => {
    const evaluations = Array.from({ length: 200 }, (_, x) => ({ x }));
    const { calls, merged } = await simulate(evaluations, "every", 1, { lost: 0, refused: 0, killed: 0 });
    expect(merged).toBeGreaterThan(100);
    expect(calls).toBeLessThan(110);
  });
});
