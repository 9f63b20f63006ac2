import { setTimeout as sleep } from "node:timers/promises";
import type { SQSRecord } from "aws-lambda";
import type { DeliverDependencies } from "../../lambda/deliver/call";
import { ALWAYS_CHANGED, type Place } from "../../lambda/deliver/changes";
import { deliverHandler } from "../../lambda/deliver/deliver";
import { AwsCallError, ParameterError } from "../../lambda/errors";
import { TIMING } from "../../lambda/timing";
import { ATTRIBUTES, callBody, type MessageInput, NOON, QUEUE_ARN, queueEvent, queueRecord } from "../cloud/events";
import { answered, FakeParameter, FakeQueue, FakeSegment, RecordingLog } from "../support/fakes";

const PARAMETER = "/flagsmith-to-segment/test/segment-write-key";
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Fakes {
  readonly segment?: FakeSegment;
  readonly queue?: FakeQueue;
  readonly deadLetterQueue?: FakeQueue;
  readonly writeKey?: FakeParameter;
}

function setUp({
  segment = new FakeSegment(),
  queue = new FakeQueue(),
  deadLetterQueue = new FakeQueue(),
  ...overrides
}: Omit<Partial<DeliverDependencies>, keyof Fakes> & Fakes = {}) {
  const log = new RecordingLog();
  const clock = { now: NOON + 250 };
  const context = { awsRequestId: "invocation-1", remaining: Number(TIMING.deliverFunction) };
  const given = {
    queueArn: QUEUE_ARN,
    dryRun: false,
    mergeBacklog: true,
    writeKey: new FakeParameter(["key", "of no use here"]),
    comparer: ALWAYS_CHANGED,
    log,
    now: () => clock.now,
    random: () => 0.5,
    timing: { ...TIMING, secondTryPause: 0 },
    ...overrides,
    segment,
    queue,
    deadLetterQueue,
  };
  const handler = deliverHandler(given);
  const invoke = async (event: unknown) => {
    const { batchItemFailures } = await handler(event, {
      awsRequestId: context.awsRequestId,
      getRemainingTimeInMillis: () => context.remaining,
    });
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  };
  const deliver = (...records: readonly SQSRecord[]) => invoke(queueEvent(...records));
  return { ...given, log, clock, context, invoke, deliver };
}

const rejecting = (messageId: string, status: number | undefined) =>
  new FakeSegment((call) => answered(call.messageId === messageId ? status : 200));

describe("deliver", () => {
  it("hands a message to Segment and reports nothing failed", async () => {
    const { deliver, segment, log } = setUp();
    expect(await deliver(queueRecord({ receiveCount: 3 }))).toEqual([]);
    expect(segment.calls).toMatchObject([{ call: { body: callBody() }, writeKey: "key" }]);
    expect(log.line).toMatchObject({
      event: "delivered",
      requestId: "invocation-1",
      messageId: "stack-request-1",
      userId: "user-1",
      environment: 23,
      traitCount: 1,
      bytes: Buffer.byteLength(callBody()),
      durationMs: 0,
      latencyMs: 250,
      segmentMs: 120,
      status: 200,
      attempt: 3,
    });
  });

  it("keeps one person's order and stops there at the first failure, but nobody else", async () => {
    const segment = rejecting("a-2", 500);
    const { deliver } = setUp({ segment });
    const failed = await deliver(
      queueRecord({ id: "1", identity: "a", messageId: "a-1" }),
      queueRecord({ id: "2", identity: "b", messageId: "b-1" }),
      queueRecord({ id: "3", identity: "a", messageId: "a-2" }),
      queueRecord({ id: "4", identity: "a", messageId: "a-3" }),
      queueRecord({ id: "5", identity: "b", messageId: "b-2" }),
    );
    expect(failed).toEqual(["3", "4"]);
    const sent = segment.calls.map(({ call }) => call.messageId);
    expect(sent.filter((id) => id.startsWith("a"))).toEqual(["a-1", "a-2", "a-2"]);
    expect(sent.filter((id) => id.startsWith("b"))).toEqual(["b-1", "b-2"]);
  });

  it("runs the people of a batch at the same time", async () => {
    const waiting: (() => void)[] = [];
    const segment = new FakeSegment(
      () =>
        new Promise((resolve) => {
          waiting.push(() => resolve(answered(200)));
          if (waiting.length === 3) for (const release of waiting) release();
        }),
    );
    const { deliver } = setUp({ segment });
    expect(await deliver(...["a", "b", "c"].map((identity) => queueRecord({ id: identity, identity })))).toEqual([]);
  });

  it("keeps a call that Segment did not take, and says when it comes back", async () => {
    const { deliver, log, queue, deadLetterQueue } = setUp({ segment: new FakeSegment(() => answered(500, 30)) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(deadLetterQueue.sent).toEqual([]);
    expect(queue.visibility).toEqual([{ id: "sqs-1", seconds: 33 }]);
    expect(log.line).toMatchObject({
      event: "retrying",
      code: "server-error",
      status: 500,
      reason: "status 500",
      ageMs: 250,
      retryInSeconds: 33,
      steps: ["Segment: status 500 in 120 ms", "Segment: status 500 in 120 ms"],
    });
    expect(log.line.actor).toBeUndefined();
  });

  it.each([404, 301, 501])("blames the operator's endpoint for status %d", async (status) => {
    const { deliver, log } = setUp({ segment: new FakeSegment(() => answered(status)) });
    await deliver(queueRecord());
    expect(log.line).toMatchObject({ event: "retrying", code: "endpoint-refused", actor: "operator" });
  });

  it("makes one second try per invocation, over a fresh connection, for the first failure", async () => {
    const segment = new FakeSegment((_, __, connection) => answered(connection === "fresh" ? 200 : 503));
    const { deliver } = setUp({ segment });
    const records = ["a", "b"].map((identity) => queueRecord({ id: identity, identity, messageId: identity }));
    expect(await deliver(...records)).toEqual(["b"]);
    expect(segment.calls.map(({ call, connection }) => [call.messageId, connection])).toEqual([
      ["a", "kept"],
      ["b", "kept"],
      ["a", "fresh"],
    ]);
  });

  it("goes on with a person whose second try is taken", async () => {
    let calls = 0;
    const segment = new FakeSegment(() => answered(calls++ === 0 ? undefined : 200));
    const { deliver } = setUp({ segment });
    expect(await deliver(...["1", "2"].map((id) => queueRecord({ id, messageId: id })))).toEqual([]);
  });

  it("brings a person's messages back together, not the later ones later", async () => {
    const { deliver, queue, log } = setUp({ segment: new FakeSegment(() => answered(500)) });
    const records = ["1", "2", "3"].map((id) => queueRecord({ id, messageId: id, receiveCount: Number(id) }));
    expect(await deliver(...records)).toEqual(["1", "2", "3"]);
    expect(queue.visibility).toEqual(["1", "2", "3"].map((id) => ({ id, seconds: 2 })));
    expect(log.line).toMatchObject({ messageId: "1", held: 2 });
  });

  it("waits by the age of the call, not by how often it was received behind another", async () => {
    const { deliver, queue, clock } = setUp({ segment: new FakeSegment(() => answered(503, 5)) });
    clock.now = NOON + 4_000;
    await deliver(queueRecord({ receiveCount: 40 }));
    expect(queue.visibility).toEqual([{ id: "sqs-1", seconds: 6 }]);
  });

  it("reports the failure even if SQS does not take the schedule, and says when the message comes then", async () => {
    const queue = new FakeQueue(new AwsCallError("sqs:ChangeMessageVisibilityBatch", "timeout", true));
    const { deliver, log } = setUp({ queue, segment: new FakeSegment(() => answered(500)) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(log.line).toMatchObject({
      event: "retrying",
      retryInSeconds: TIMING.visibility / 1_000,
      visibility: "schedule not set: sqs:ChangeMessageVisibilityBatch failed: timeout",
    });
  });

  it("sends nothing more of a batch once Segment answered 429, and waits for as long as it asked", async () => {
    const segment = new FakeSegment(async ({ messageId }) => {
      if (messageId === "a-1") return answered(429, 60);
      await new Promise(setImmediate);
      return answered(200);
    });
    const { deliver, queue, log } = setUp({ segment });
    const failed = await deliver(
      queueRecord({ id: "1", identity: "a", messageId: "a-1" }),
      queueRecord({ id: "2", identity: "b", messageId: "b-1" }),
      queueRecord({ id: "3", identity: "b", messageId: "b-2" }),
    );
    expect(failed).toEqual(["1", "3"]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["a-1", "b-1"]);
    expect(queue.visibility.map(({ seconds }) => seconds)).toEqual([66, 60]);
    expect(log.lines.at(-1)).toMatchObject({
      event: "retrying",
      message: "not tried",
      reason: "Segment asked to slow down",
      messageId: "b-2",
      retryInSeconds: 60,
    });
  });

  it("starts nothing that the invocation's time may not end, and lets it come back at once", async () => {
    const segment = new FakeSegment(async () => {
      context.remaining = TIMING.deliverCall - 1;
      return answered(200);
    });
    const { deliver, queue, log, context } = setUp({ segment });
    context.remaining = TIMING.deliverCall;
    const records = ["1", "2", "3"].map((id) => queueRecord({ id, messageId: id }));
    expect(await deliver(...records)).toEqual(["2", "3"]);
    expect(queue.visibility.map(({ seconds }) => seconds)).toEqual([0, 0]);
    expect(log.lines).toMatchObject([
      { event: "delivered" },
      { event: "retrying", messageId: "2", retryInSeconds: 0, held: 1 },
    ]);
  });

  it("logs the call instead of sending it in a dry run", async () => {
    const { deliver, segment, log } = setUp({ dryRun: true });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls).toEqual([]);
    expect(log.line).toMatchObject({
      event: "dry-run",
      messageId: "stack-request-1",
      call: { userId: "user-1", traits: { dark_mode: true }, sentAt: "2026-11-23T12:00:00.250Z" },
    });
  });

  it("keeps a message when something fails that nobody foresaw", async () => {
    const segment = new FakeSegment(() => {
      throw new TypeError("a defect");
    });
    const { deliver, log } = setUp({ segment });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(log.line).toMatchObject({ event: "retrying", error: expect.any(TypeError) });
  });
});

describe("a failure that is judged", () => {
  const others = ["b", "c", "d", "e"].map((identity) => queueRecord({ id: identity, identity, messageId: identity }));
  const failing = (input: MessageInput = {}) => queueRecord({ id: "1", messageId: "m-1", receiveCount: 3, ...input });

  /** Two invocations in which others are well, the second of which moves the call. */
  async function twice(status: number | undefined, sentAt: number) {
    const set = setUp({ segment: rejecting("m-1", status) });
    expect(await set.deliver(failing({ sentAt }), ...others)).toEqual(["1"]);
    const behind = queueRecord({ id: "2", messageId: "m-2", sentAt });
    return { ...set, failed: await set.deliver(failing({ sentAt }), behind, ...others) };
  }

  it("moves the call to the dead-letter queue with its reason, and lets those behind it come at once", async () => {
    const { failed, deadLetterQueue, queue, log } = await twice(400, NOON - 60_000);
    expect(failed).toEqual(["2"]);
    expect(deadLetterQueue.sent).toEqual([
      {
        body: callBody({ messageId: "m-1" }),
        groupId: queueRecord().attributes.MessageGroupId,
        deduplicationId: "1",
        attributes: {
          kind: "identify",
          version: 1,
          environment: 23,
          reason: "rejected-by-segment",
          status: 400,
          messageId: "m-1",
        },
      },
    ]);
    expect(queue.visibility.at(-1)).toEqual({ id: "2", seconds: 0 });
    expect(log.lines.at(-1)).toMatchObject({
      event: "dead-lettered",
      messageId: "m-1",
      reason: "rejected-by-segment",
      code: "content-rejected",
      status: 400,
      held: 1,
    });
  });

  it.each([
    ["refused for an hour", 404, HOUR],
    ["without an answer for three", undefined, 3 * HOUR],
  ])("moves a call that was %s as failing alone", async (_, status, age) => {
    expect((await twice(status, NOON - age)).deadLetterQueue.sent).toMatchObject([
      { attributes: { reason: "fails-alone", status } },
    ]);
    expect((await twice(status, NOON - age + 1_000)).deadLetterQueue.sent).toEqual([]);
  });

  it("moves nobody at the first failure, nor when ten are refused at once", async () => {
    const everybody = Array.from({ length: 10 }, (_, i) =>
      failing({ id: String(i), identity: `p${i}`, sentAt: NOON - 5 * HOUR }),
    );
    const { deliver, deadLetterQueue } = setUp({ segment: new FakeSegment(() => answered(404)) });
    for (let i = 0; i < 3; i++) await deliver(...everybody);
    expect(deadLetterQueue.sent).toEqual([]);
  });

  it("judges when all answers are in: two of ten that succeed late do not make the eight look alone", async () => {
    const segment = new FakeSegment(async ({ identity }) => {
      if (identity !== "p8" && identity !== "p9") return answered(404);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      return answered(200);
    });
    const ten = Array.from({ length: 10 }, (_, i) => failing({ id: String(i), identity: `p${i}`, sentAt: NOON - 5 * HOUR }));
    const { deliver, deadLetterQueue } = setUp({ segment });
    for (let i = 0; i < 3; i++) await deliver(...ten);
    expect(deadLetterQueue.sent).toEqual([]);
  });

  it("keeps a message that the dead-letter queue did not take", async () => {
    const deadLetterQueue = new FakeQueue(new AwsCallError("sqs:SendMessageBatch", "timeout", true));
    const { deliver, log } = setUp({ deadLetterQueue, segment: new FakeSegment(() => answered(400)) });
    expect(await deliver(failing({ sentAt: NOON - DAY }))).toEqual(["1"]);
    expect(log.line).toMatchObject({
      event: "retrying",
      message: "can't be moved to the dead-letter queue, comes again",
      status: 400,
      error: expect.any(AwsCallError),
      retryInSeconds: 600,
    });
  });

  it("tells that those behind a moved call come late, where SQS does not take the schedule", async () => {
    const queue = new FakeQueue(new AwsCallError("sqs:ChangeMessageVisibilityBatch", "timeout", true));
    const { deliver, log } = setUp({ queue, segment: new FakeSegment(() => answered(400)) });
    const sentAt = NOON - DAY;
    expect(await deliver(failing({ sentAt }), queueRecord({ id: "2", messageId: "m-2", sentAt }))).toEqual(["2"]);
    expect(log.line).toMatchObject({ event: "dead-lettered", held: 1, visibility: expect.stringMatching(/^schedule not set/) });
    expect(log.line).not.toMatchObject({ retryInSeconds: expect.anything() });
  });

  it("moves what is 12 days old", async () => {
    const { deliver, deadLetterQueue } = setUp({ segment: new FakeSegment(() => answered(429)) });
    await deliver(failing({ sentAt: NOON - 12 * DAY }));
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "expired", status: 429 } }]);
  });

  it("moves a message that receive did not write, under its id at SQS", async () => {
    const { deliver, segment, log, deadLetterQueue } = setUp();
    const environment = { DataType: "String", StringValue: "production" };
    expect(await deliver(queueRecord({ body: "hello", attributes: { environment } }))).toEqual([]);
    expect(segment.calls).toEqual([]);
    expect(deadLetterQueue.sent).toMatchObject([
      { body: "hello", deduplicationId: "sqs-1", attributes: { reason: "unreadable-message", messageId: "sqs-1" } },
    ]);
    expect(deadLetterQueue.sent[0]?.attributes.environment).toBeUndefined();
    expect(log.line).toMatchObject({
      event: "dead-lettered",
      reason: "unreadable-message",
      message: "moved to the dead-letter queue: queue message: expected a JSON object",
    });
  });

  it.each([
    ["kind", { DataType: "String", StringValue: "track" }],
    ["version", { DataType: "Number", StringValue: "2" }],
    ["version", { DataType: "String", StringValue: "v2" }],
  ])("waits an hour for a deliver that knows the message's %s", async (name, attribute) => {
    const message = (age: number) => failing({ sentAt: NOON - age, attributes: { ...ATTRIBUTES, [name]: attribute } });
    const { deliver, segment, queue, log, deadLetterQueue } = setUp();
    expect(await deliver(message(HOUR - 1_000))).toEqual(["1"]);
    expect(queue.visibility).toEqual([{ id: "1", seconds: 60 }]);
    expect(log.line).toMatchObject({ event: "retrying", code: "unknown-version" });
    expect(await deliver(message(HOUR))).toEqual([]);
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "unknown-version" } }]);
    expect(segment.calls).toEqual([]);
  });

  it("reads a message of the last release, which has no kind and no version", async () => {
    const { environment } = ATTRIBUTES;
    expect(await setUp().deliver(queueRecord({ attributes: environment === undefined ? {} : { environment } }))).toEqual([]);
  });
});

describe("a 429", () => {
  const paired = ["a", "b", "c"].flatMap((identity) =>
    ["1", "2"].map((number) => queueRecord({ identity, id: identity + number, messageId: `${identity}-${number}` })),
  );

  it("holds the batch back for the longest that was asked for", async () => {
    const segment = new FakeSegment(async ({ identity }) => {
      await sleep(identity === "a" ? 0 : identity === "b" ? 20 : 40);
      return identity === "a" ? answered(429, 60) : identity === "b" ? answered(429) : answered(200);
    });
    const { deliver, log } = setUp({ segment });
    expect(await deliver(...paired)).toEqual(["a1", "a2", "b1", "b2", "c2"]);
    expect(log.lines.find(({ messageId }) => messageId === "c-2")).toMatchObject({ message: "not tried", retryInSeconds: 60 });
  });

  it("is followed by no second try of another's", async () => {
    const segment = new FakeSegment(async ({ identity }) => {
      if (identity === "a") return answered(500);
      await sleep(10);
      return answered(429);
    });
    const { deliver } = setUp({ segment, timing: { ...TIMING, secondTryPause: 30 } });
    await deliver(...paired);
    expect(segment.calls.map(({ call }) => call.identity)).toEqual(["a", "b", "c"]);
  });
});

describe("a write key that is refused", () => {
  it.each([401, 403])("is read again after %d, and another is used at once", async (status) => {
    const writeKey = new FakeParameter(["old"], ["new"]);
    const segment = new FakeSegment((_, writeKey) => answered(writeKey === "new" ? 200 : status));
    const { deliver, log } = setUp({ writeKey, segment });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls.map(({ writeKey }) => writeKey)).toEqual(["old", "new"]);
    expect(writeKey.refreshes).toBe(1);
    expect(log.line).toMatchObject({ event: "delivered" });
  });

  it("is named with its remedy while nobody else's calls are taken", async () => {
    const writeKey = new FakeParameter(["key"]);
    const { deliver, log } = setUp({ segment: new FakeSegment(() => answered(401)), writeKey });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    const { name: parameter, remedy } = writeKey;
    const refused = { event: "retrying", code: "write-key-refused", actor: "operator", status: 401 };
    expect(log.line).toMatchObject({ ...refused, parameter, remedy });
  });

  it("is not named while others are well: a firewall refuses this call", async () => {
    const { deliver, log } = setUp({ segment: rejecting("m-1", 403) });
    await deliver(queueRecord({ id: "1", messageId: "m-1" }), queueRecord({ id: "2", identity: "b", messageId: "m-2" }));
    const line = log.lines.find(({ event }) => event === "retrying");
    expect(line).toMatchObject({ code: "endpoint-refused", status: 403 });
    expect(line).not.toHaveProperty("remedy");
  });

  it("keeps every message when it is missing", async () => {
    const missing = new ParameterError(PARAMETER, "parameter-missing", "operator", "aws ssm put-parameter …");
    const { deliver, log } = setUp({ writeKey: new FakeParameter(missing) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(log.line).toMatchObject({ event: "retrying", error: missing });
  });
});

describe("with forward: changes", () => {
  const comparing = (unchanged: boolean, recorded = true) => {
    const calls: string[] = [];
    const compare = async ({ messageId }: { readonly messageId: string }, { mayBeKnown }: Place) => {
      calls.push(`compare ${messageId}${mayBeKnown ? ", which may be known" : ""}`);
      return {
        unchanged,
        record: async () => {
          calls.push(`record ${messageId}`);
          return recorded;
        },
      };
    };
    const forget = async (_: string, sequence: bigint) => void calls.push(`forget ${sequence}`);
    return { calls, comparer: { compare, forget } };
  };

  it("does not send what is unchanged", async () => {
    const { comparer, calls } = comparing(true);
    const { deliver, segment, log } = setUp({ comparer });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls).toEqual([]);
    expect(calls).toEqual(["compare stack-request-1"]);
    expect(log.line).toMatchObject({ event: "unchanged", messageId: "stack-request-1", traitCount: 1 });
  });

  it("records what Segment took, and nothing else", async () => {
    const taken = comparing(false);
    await setUp({ comparer: taken.comparer }).deliver(queueRecord());
    expect(taken.calls).toEqual(["compare stack-request-1", "record stack-request-1"]);
    const refused = comparing(false);
    await setUp({ comparer: refused.comparer, segment: new FakeSegment(() => answered(500)) }).deliver(queueRecord());
    expect(refused.calls).toEqual(["compare stack-request-1"]);
  });

  it("forgets what Segment has of a person whose call is moved: it may be at Segment all the same", async () => {
    const { comparer, calls } = comparing(false);
    const segment = new FakeSegment(() => answered(504));
    const { deliver, deadLetterQueue } = setUp({ comparer, segment });
    expect(await deliver(queueRecord({ sentAt: NOON - 12 * DAY }))).toEqual([]);
    expect(deadLetterQueue.sent).toHaveLength(1);
    expect(calls).toEqual(["compare stack-request-1", expect.stringMatching(/^forget \d+$/)]);
  });

  it("tells of a call that a redrive brought back: Segment drops it if it took it before", async () => {
    const { comparer, calls } = comparing(true);
    const attributes = { ...ATTRIBUTES, reason: { DataType: "String", StringValue: "fails-alone" } };
    await setUp({ comparer }).deliver(queueRecord({ attributes }));
    expect(calls).toEqual(["compare stack-request-1, which may be known"]);
  });

  it("keeps what could not be recorded, and those behind it", async () => {
    const { comparer } = comparing(false, false);
    const { deliver, segment, log } = setUp({ comparer });
    expect(await deliver(...["1", "2"].map((id) => queueRecord({ id, messageId: id })))).toEqual(["1", "2"]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["1"]);
    expect(log.line).toMatchObject({ event: "retrying", messageId: "1", status: 200, retryInSeconds: 2, held: 1 });
    // Segment has it: nobody waits.
    expect(log.line).not.toHaveProperty("ageMs");
  });
});

describe("a person who sends faster than Segment answers", () => {
  const flood = (from = 0) =>
    Array.from({ length: 5 }, (_, index) => {
      const number = from + index;
      return queueRecord({ id: String(number), messageId: `e${number}-1`, traits: { n: number }, sentAt: NOON - 20 * DAY });
    });
  const ids = flood().map(({ messageId }) => messageId);

  it("gets one call for many messages, and each message its line", async () => {
    const { deliver, segment, log } = setUp();
    expect(await deliver(...flood(), queueRecord({ id: "b", identity: "b", messageId: "b-1" }))).toEqual([]);
    const [merged, other, ...more] = segment.calls.map(({ call }) => JSON.parse(call.body));
    expect(more).toEqual([]);
    expect(merged).toMatchObject({ userId: "user-1", traits: { n: 4 } });
    expect(other).toMatchObject({ userId: "b", messageId: "b-1" });
    const lines = log.lines.filter(({ event }) => event === "merged");
    expect(lines.map(({ messageId }) => messageId)).toEqual(["e0-1", "e1-1", "e2-1", "e3-1", "e4-1"]);
    expect(lines[0]).toMatchObject({ userId: "user-1", mergedInto: merged.messageId, calls: 1, status: 200, latencyMs: 250 });
  });

  it("is sent singly while calls fail, and again merged after a success", async () => {
    let failing = true;
    const segment = new FakeSegment(() => answered(failing ? 503 : 200));
    const { deliver, deadLetterQueue, log } = setUp({ segment });
    // 20 days old, and still not moved: the call was merged.
    expect(await deliver(...flood())).toEqual(ids);
    expect(log.line).toMatchObject({ event: "retrying", messageId: "e0-1", held: 4 });
    expect(deadLetterQueue.sent).toEqual([]);
    expect(await deliver(...flood())).toEqual(ids.slice(1));
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "expired", messageId: "e0-1" } }]);
    failing = false;
    const sent = segment.calls.length;
    expect(await deliver(...flood())).toEqual([]);
    expect(segment.calls.slice(sent).map(({ call }) => call.messageId)).toEqual(["e0-1", "e1-1", "e2-1", "e3-1", "e4-1"]);
    expect(await deliver(...flood(5))).toEqual([]);
    expect(segment.calls).toHaveLength(sent + 6);
  });

  it("is sent singly from the tenth receive on, by containers that remember nothing as well", async () => {
    const handedOut = (receiveCount: number) =>
      flood().map((record) => ({
        ...record,
        attributes: { ...record.attributes, ApproximateReceiveCount: String(receiveCount) },
      }));
    const first = setUp({ segment: new FakeSegment(() => answered(503)) });
    expect(await first.deliver(...handedOut(9))).toEqual(ids);
    expect(first.deadLetterQueue.sent).toEqual([]);
    const second = setUp({ segment: new FakeSegment(() => answered(503)) });
    expect(await second.deliver(...handedOut(10))).toEqual(ids.slice(1));
    expect(second.deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "expired", messageId: "e0-1" } }]);
  });

  it("has its oldest message moved at 12 days, where nothing can be sent at all", async () => {
    const missing = new ParameterError(PARAMETER, "parameter-missing", "operator", "aws ssm put-parameter …");
    const { deliver, deadLetterQueue } = setUp({ writeKey: new FakeParameter(missing) });
    expect(await deliver(...flood())).toEqual(ids.slice(1));
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "expired", messageId: "e0-1" } }]);
  });

  it("keeps all messages where a part is not taken, or there is no time for it", async () => {
    const large = Array.from({ length: 5 }, (_, index) => {
      const traits = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${100 * index + i}`, i]));
      return queueRecord({ id: String(index), messageId: `e${index}-1`, traits });
    });
    let calls = 0;
    const { deliver } = setUp({ segment: new FakeSegment(() => answered(calls++ === 0 ? 200 : 503)) });
    expect(await deliver(...large)).toEqual(ids);
    const slow = setUp({
      segment: new FakeSegment(() => {
        slow.context.remaining = 0;
        return answered(200);
      }),
    });
    expect(await slow.deliver(...large)).toEqual(ids);
    expect(slow.segment.calls).toHaveLength(1);
  });

  it("gets each call with mergeBacklog: false", async () => {
    const { deliver, segment } = setUp({ mergeBacklog: false });
    expect(await deliver(...flood())).toEqual([]);
    expect(segment.calls).toHaveLength(5);
  });

  it("stops the merging at a message that can't be read", async () => {
    const { deliver, segment, deadLetterQueue } = setUp();
    const behind = queueRecord({ id: "behind", messageId: "e9-1" });
    expect(await deliver(...flood(), queueRecord({ id: "odd", body: "hello" }), behind)).toEqual(["behind"]);
    expect(segment.calls).toHaveLength(1);
    expect(deadLetterQueue.sent).toMatchObject([{ body: "hello" }]);
  });
});

describe("an event that is not a batch of the queue", () => {
  it.each([
    ["the console's test event", { key1: "value1" }],
    ["a warmer's", {}],
    ["nothing", undefined],
    ["text", "ping"],
    ["records of another kind", { Records: ["record"] }],
  ])("is told in one line and fails at nothing: %s", async (_, event) => {
    const { invoke, segment, log, deadLetterQueue } = setUp();
    expect(await invoke(event)).toEqual([]);
    expect(log.line).toMatchObject({ event: "unknown-source", requestId: "invocation-1" });
    expect([segment.calls, deadLetterQueue.sent]).toEqual([[], []]);
  });

  it("is told of records of another queue, while those of the queue are delivered", async () => {
    const { invoke, segment, log } = setUp();
    const foreign = { ...queueRecord({ id: "foreign" }), eventSourceARN: "arn:aws:sqs:us-east-1:123456789012:MyQueue" };
    expect(await invoke(queueEvent(foreign, queueRecord({ messageId: "ours" })))).toEqual([]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["ours"]);
    expect(log.lines.map(({ event }) => event)).toEqual(["unknown-source", "delivered"]);
  });
});
