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

interface Step {
  readonly identity: string;
  readonly traits: Readonly<Record<string, number>>;
  /** Hours until the next. */
  readonly pause: number;
}

/** Few people, names and values, so that sets come back; some sets lack what others have, as with client-side keys. */
const step: fc.Arbitrary<Step> = fc.record({
  identity: fc.constantFrom("a", "a", "a", "b"),
  traits: fc.dictionary(fc.constantFrom("x", "y"), fc.nat({ max: 1 }), { maxKeys: 2 }),
  pause: fc.constantFrom(0, 1, 1, 1, 23, 25),
});

type Profiles = Record<string, Record<string, unknown>>;

const REFRESH_HOURS = 24;

/**
 * Segment's view after a history, delivered by one or two containers, with or without the option, while everything fails now and
 * then. `outage`: the steps, from and to, during which DynamoDB takes no writes.
 */
async function simulate(
  history: readonly Step[],
  forward: "every" | "changes",
  seed: number,
  faults: number,
  {
    containers = 1,
    outage: [from, to] = [0, 0],
  }: { readonly containers?: number; readonly outage?: readonly [number, number] } = {},
) {
  const random = seeded(seed);
  const strikes = () => random() < faults;
  // Reads that fail and messages that come again are not combined: an unchanged message that comes again after a changed one is
  // then sent, because nothing tells that it is old. Its traits stand until the next change or refresh (lambda/README.md).
  const unreadable = seed % 2 === 0;
  const clock = { now: NOON };
  const queue = new FifoQueue({ clock, visibility: TIMING.visibility, retention: 14 * 24 * 3_600_000 });
  const items = new Map<string, DeliveredItem>();
  const table = {
    read: async (hash: string) => {
      if (unreadable && strikes()) throw new AwsCallError("dynamodb:GetItem", "timeout", true);
      return items.get(hash);
    },
    write: async (hash: string, item: DeliveredItem) => {
      if (strikes() || down) throw new AwsCallError("dynamodb:PutItem", "timeout", true);
      const last = items.get(hash);
      if (last === undefined || last.sequence < item.sequence) items.set(hash, item);
      if (strikes()) throw new AwsCallError("dynamodb:PutItem", "timeout", true);
    },
  };
  const log = new RecordingLog();
  const now = () => clock.now;
  let down = false;
  const profiles: Profiles = {};
  const seen = new Set<string>();
  const segment = new FakeSegment((call) => {
    if (strikes()) return answered(500);
    const { userId, traits } = JSON.parse(call.body);
    if (!seen.has(call.messageId)) profiles[userId] = { ...profiles[userId], ...traits };
    seen.add(call.messageId);
    return answered(strikes() ? 500 : 200);
  });
  const container = () =>
    deliverHandler({
      queueArn: QUEUE_ARN,
      dryRun: false,
      mergeBacklog: false,
      writeKey: new FakeParameter(["key"]),
      segment,
      comparer:
        forward === "every"
          ? ALWAYS_CHANGED
          : new Changes({ table, log, endpoint: "https://s", refresh: REFRESH_HOURS * 3_600, now }),
      queue: {
        setVisibility: async (messages, seconds) => {
          for (const { receiptHandle } of messages) queue.setVisibility(receiptHandle, seconds);
        },
      },
      deadLetterQueue: new FakeQueue(),
      log,
      now,
      random,
      timing: { ...TIMING, secondTryPause: 0 },
    });
  const handlers = Array.from({ length: containers }, container);
  const drain = async (until: number) => {
    for (;;) {
      const messages = queue.receive(10);
      if (messages.length > 0) {
        const event = { Records: messages.map((message) => toRecord(message)) };
        const context = { awsRequestId: "i", getRemainingTimeInMillis: () => TIMING.deliverFunction };
        const deliver = handlers[Math.floor(random() * containers)];
        if (deliver === undefined) throw new Error("no container");
        const { batchItemFailures } = await deliver(event, context);
        const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
        for (const { id, receiptHandle } of messages) {
          if (!failed.has(id) && (unreadable || !strikes())) queue.delete(receiptHandle);
        }
      } else {
        const next = queue.nextVisibleAt;
        if (next === undefined || next > until) break;
        clock.now = next;
      }
    }
    clock.now = Math.max(clock.now, Math.min(until, NOON * 2));
  };
  for (const [index, { identity, traits, pause }] of history.entries()) {
    down = from <= index && index < to;
    const body = callBody({ identity, traits, messageId: `m-${index}` });
    queue.send({ body, groupId: identity, deduplicationId: `m-${index}`, attributes: {} });
    await drain(clock.now + pause * 3_600_000);
    if (queue.size === 0 && to === 0) expect(profiles).toEqual(truth(history.slice(0, index + 1)));
  }
  await drain(Number.POSITIVE_INFINITY);
  const sent = segment.calls.length;
  return { profiles, sent, lines: log.lines };
}

/** What every evaluation, one after the other, makes of the profiles. */
function truth(history: readonly Step[]): Profiles {
  const profiles: Profiles = {};
  for (const { identity, traits } of history) profiles[identity] = { ...profiles[identity], ...traits };
  return profiles;
}

describeProperties("forward: changes", () => {
  it("leaves Segment with the traits that forward: every would, whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 40, size: "max" }),
        fc.nat(),
        fc.constantFrom(0, 0.1, 0.2, 0.2),
        async (history, seed, faults) => {
          const every = await simulate(history, "every", seed, faults);
          const changes = await simulate(history, "changes", seed, faults);
          expect(every.profiles).toEqual(truth(history));
          expect(changes.profiles).toEqual(truth(history));
          if (faults === 0) {
            const unchanged = changes.lines.filter(({ event }) => event === "unchanged").length;
            expect(changes.sent + unchanged).toBe(every.sent);
          }
        },
      ),
      // A shrunk history would take minutes.
      { numRuns: 200, endOnFailure: true },
    );
  });

  it("sends A, B, A three times, and A, A, A once", async () => {
    const of = (values: readonly number[]) => values.map((x) => ({ identity: "a", traits: { x }, pause: 1 }));
    expect((await simulate(of([0, 1, 0]), "changes", 1, 0)).sent).toBe(3);
    expect((await simulate(of([0, 0, 0]), "changes", 1, 0)).sent).toBe(1);
  });

  it("ends right with two containers after DynamoDB took no writes for a while, once the refresh has passed", async () => {
    const outages = fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 40 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 30, maxLength: 60, size: "max" }),
        fc.nat(),
        outages,
        async (history, seed, outage) => {
          // What another container may believe meanwhile is documented; a day later everything is sent again.
          const last = { ...history.at(-1), pause: REFRESH_HOURS + 1 } as Step;
          const settled = Object.entries(truth(history)).map(([identity, traits]) => ({ identity, traits, pause: 0 }) as Step);
          const whole = [...history.slice(0, -1), last, ...settled];
          const { profiles } = await simulate(whole, "changes", seed, 0.1, { containers: 2, outage });
          expect(profiles).toEqual(truth(whole));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("trusts no item that was given up: plan 2 gives way to plan 1 again", async () => {
    const plan = (x: number, identity = "a") => ({ identity, traits: { x }, pause: 1 });
    // Somebody else's recording shows that the table is up again.
    const history = [plan(1), ...Array(20).fill(plan(2)), plan(1, "b"), plan(1)];
    const { profiles } = await simulate(history, "changes", 1, 0, { outage: [1, 21] });
    expect(profiles).toEqual({ a: { x: 1 }, b: { x: 1 } });
  });
});
