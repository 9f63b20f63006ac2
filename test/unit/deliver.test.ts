import type { SQSRecord } from "aws-lambda";
import { AwsCallError, ParameterError } from "../../lambda/errors";
import { DAY_SECONDS, HOUR_SECONDS, TIMING } from "../../lambda/timing";
import { ATTRIBUTES, callBody, type MessageInput, NOON, queueEvent, queueRecord } from "../cloud/events";
import { setUpDeliver } from "../support/deliver";
import { answered, FakeParameter, FakeQueue, FakeRecords, FakeSegment } from "../support/fakes";

const HOUR_MS = 1_000 * HOUR_SECONDS;
const DAY_MS = 1_000 * DAY_SECONDS;
const noKey = new ParameterError("/…/segment-write-key", "parameter-missing", "operator", "aws ssm put-parameter …");
const sqsFails = new AwsCallError("sqs:SendMessageBatch", "timeout", true);

/** Answers this status to one call, and accepts all others. */
const refusing = (messageId: string, status: number | undefined, askedSeconds?: number) =>
  new FakeSegment((call) => (call.messageId === messageId ? answered(status, askedSeconds) : answered(200)));
const answering = (status: number | undefined, askedSeconds?: number) => new FakeSegment(() => answered(status, askedSeconds));

/** One message of each of these users; its ids at SQS and at Segment are the user's name. */
const messagesOf = (...users: readonly string[]) =>
  users.map((identity) => queueRecord({ id: identity, identity, messageId: identity }));
/** Several messages of one user. */
const inOrder = (...ids: readonly string[]) => ids.map((id, index) => queueRecord({ id, messageId: id, sequence: index + 1 }));

describe("an invocation of deliver", () => {
  it("sends the call of a message and logs it", async () => {
    const { deliver, segment, log } = setUpDeliver();
    expect(await deliver(queueRecord({ receiveCount: 3 }))).toEqual([]);
    expect(segment.calls).toMatchObject([{ call: { body: callBody() }, writeKey: "key" }]);
    expect(log.entry).toMatchObject({
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

  it("keeps a user's order and stops at the user's first failure, while other users' messages are delivered", async () => {
    const segment = refusing("a-2", 500);
    const { deliver } = setUpDeliver({ segment });
    const message = (id: string, identity: string, messageId: string) => queueRecord({ id, identity, messageId });
    const failed = await deliver(
      message("1", "a", "a-1"),
      message("2", "b", "b-1"),
      message("3", "a", "a-2"),
      message("4", "a", "a-3"),
      message("5", "b", "b-2"),
    );
    expect(failed).toEqual(["3", "4"]);
    const sent = segment.calls.map(({ call }) => call.messageId);
    expect(sent.filter((id) => id.startsWith("a"))).toEqual(["a-1", "a-2"]);
    expect(sent.filter((id) => id.startsWith("b"))).toEqual(["b-1", "b-2"]);
  });

  it("delivers different users' messages in parallel", async () => {
    const waiting: (() => void)[] = [];
    const segment = new FakeSegment(
      () =>
        new Promise((resolve) => {
          waiting.push(() => resolve(answered(200)));
          if (waiting.length === 3) for (const release of waiting) release();
        }),
    );
    expect(await setUpDeliver({ segment }).deliver(...messagesOf("a", "b", "c"))).toEqual([]);
  });

  it("begins no unit that may not end in time, and retries its messages after 2 s", async () => {
    const segment = new FakeSegment(async () => {
      clock.timeLeftMs = TIMING.deliverUnitMs - 1;
      return answered(200);
    });
    const { deliver, queue, log, clock } = setUpDeliver({ segment });
    clock.timeLeftMs = TIMING.deliverUnitMs;
    expect(await deliver(...inOrder("1", "2", "3"))).toEqual(["2", "3"]);
    expect(queue.visibility.map(({ seconds }) => seconds)).toEqual([2, 2]);
    expect(log.entries).toMatchObject([
      { event: "delivered" },
      { event: "retrying", code: "not-attempted", messageId: "2", retryInSeconds: 2, held: 1 },
    ]);
  });

  it("logs the calls instead of sending them in a dry run", async () => {
    const { deliver, segment, log } = setUpDeliver({ dryRun: true });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls).toEqual([]);
    const call = { userId: "user-1", traits: { dark_mode: true }, sentAt: "2026-11-23T12:00:00.250Z" };
    expect(log.entry).toMatchObject({ event: "dry-run", messageId: "stack-request-1", call });
  });
});

describe("a message that fails", () => {
  it("stays in the queue, and the entry says why and for how long", async () => {
    const { deliver, log, queue, deadLetterQueue } = setUpDeliver({ segment: answering(500, 30) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(deadLetterQueue.sent).toEqual([]);
    expect(queue.visibility).toEqual([{ id: "sqs-1", seconds: 33 }]);
    const why = { code: "server-error", status: 500, reason: "status 500", actor: undefined };
    expect(log.entry).toMatchObject({ event: "retrying", ...why, ageMs: 250, retryInSeconds: 33 });
  });

  it("becomes visible together with the user's messages behind it", async () => {
    const { deliver, queue, log } = setUpDeliver({ segment: answering(500) });
    expect(await deliver(...inOrder("1", "2", "3"))).toEqual(["1", "2", "3"]);
    expect(queue.visibility).toEqual(["1", "2", "3"].map((id) => ({ id, seconds: 2 })));
    expect(log.entry).toMatchObject({ messageId: "1", held: 2 });
  });

  const defect = new TypeError("a defect");
  const throwing = new FakeSegment(() => {
    throw defect;
  });

  it.each([
    ["after a defect", { segment: throwing }, defect],
    ["without a write key", { writeKey: new FakeParameter(noKey) }, noKey],
  ])("stays in the queue %s", async (_, overrides, error) => {
    const { deliver, log } = setUpDeliver(overrides);
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(log.entry).toMatchObject({ event: "retrying", error });
  });

  it("stays in the queue even if its visibility can't be set, and the entry says so", async () => {
    const { deliver, log } = setUpDeliver({ queue: new FakeQueue(sqsFails), segment: answering(500) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    const visibility = "visibility not set: sqs:SendMessageBatch failed: timeout";
    expect(log.entry).toMatchObject({ event: "retrying", retryInSeconds: TIMING.visibilityMs / 1_000, visibility });
  });
});

describe("a message", () => {
  const old = (input: MessageInput = {}) =>
    queueRecord({ id: "1", messageId: "m-1", receiveCount: 9, sentAt: NOON - 4 * HOUR_MS, ...input });
  /** The user's message fails in this many invocations, beside other users' that are accepted. */
  async function failing(invocations: number, status: number | undefined, records = [old()]) {
    const set = setUpDeliver({ segment: refusing("m-1", status) });
    let failed: readonly string[] = [];
    for (let i = 0; i < invocations; i++) failed = await set.deliver(...records, ...messagesOf("a", "b", "c", "d"));
    return { ...set, failed };
  }

  it("is dead-lettered at its fourth failure in a row, and the messages behind it become visible immediately", async () => {
    const behind = old({ id: "2", messageId: "m-2", sequence: 2 });
    const { failed, deadLetterQueue, queue, log } = await failing(4, 400, [old(), behind]);
    expect(failed).toEqual(["2"]);
    const about = { reason: "isolated-failure", status: 400, messageId: "m-1" };
    expect(deadLetterQueue.sent).toEqual([
      {
        body: callBody({ messageId: "m-1" }),
        groupId: queueRecord().attributes.MessageGroupId,
        deduplicationId: "1",
        attributes: { kind: "identify", version: 1, environment: 23, ...about },
      },
    ]);
    expect(queue.visibility.at(-1)).toEqual({ id: "2", seconds: 0 });
    expect(log.entries.at(-1)).toMatchObject({ event: "dead-lettered", ...about, code: "endpoint-refused", held: 1 });
  });

  it("is not dead-lettered while other users fail too, even if their answers come late", async () => {
    const segment = new FakeSegment(async ({ identity }) => {
      if (identity !== "p8" && identity !== "p9") return answered(404);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      return answered(200);
    });
    const ten = Array.from({ length: 10 }, (_, i) => old({ id: String(i), identity: `p${i}`, receiveCount: 1 }));
    const { deliver, deadLetterQueue } = setUpDeliver({ segment });
    for (let i = 0; i < 6; i++) await deliver(...ten);
    expect(deadLetterQueue.sent).toEqual([]);
  });

  it("stays in the queue if the dead-letter queue can't be reached", async () => {
    const { deliver, log } = setUpDeliver({ deadLetterQueue: new FakeQueue(sqsFails), segment: answering(400) });
    expect(await deliver(old({ sentAt: NOON - 12 * DAY_MS }))).toEqual(["1"]);
    const message = "could not be moved to the dead-letter queue";
    expect(log.entry).toMatchObject({ event: "retrying", message, status: 400, error: sqsFails, retryInSeconds: 600 });
  });

  it("is dead-lettered even if the visibility of the messages behind it can't be set", async () => {
    const { deliver, log } = setUpDeliver({ queue: new FakeQueue(sqsFails), segment: answering(400) });
    const sentAt = NOON - 12 * DAY_MS;
    expect(await deliver(old({ sentAt }), old({ id: "2", messageId: "m-2", sentAt, sequence: 2 }))).toEqual(["2"]);
    expect(log.entry).toMatchObject({
      event: "dead-lettered",
      held: 1,
      visibility: expect.stringMatching(/^visibility not set/),
    });
    expect(log.entry).not.toHaveProperty("retryInSeconds");
  });

  /** JSON.stringify throws a RangeError for it, which reading needs because of the escape. */
  const deep = `"traits":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)},"b":"\\ud83d\\ude00"}`;

  it.each([
    ["is not JSON", "hello", /expected a JSON object$/],
    ["can't be read for another reason", callBody().replace(/"traits":.*}/, `${deep}}`), /expected readable JSON$/],
  ])("is dead-lettered immediately if it %s", async (_, body, message) => {
    const { deliver, segment, log, deadLetterQueue } = setUpDeliver();
    expect(await deliver(queueRecord({ body }), ...messagesOf("b"))).toEqual([]);
    expect(segment.calls).toHaveLength(1);
    const attributes = { reason: "unreadable-message", messageId: "sqs-1" };
    expect(deadLetterQueue.sent).toMatchObject([{ body, deduplicationId: "sqs-1", attributes }]);
    const entry = log.entries.find(({ event }) => event === "dead-lettered");
    expect(entry).toMatchObject({ reason: "unreadable-message", messageId: "sqs-1", message: expect.stringMatching(message) });
  });

  it.each([
    ["kind", { DataType: "String", StringValue: "track" }],
    ["version", { DataType: "Number", StringValue: "2" }],
    ["version", { DataType: "String", StringValue: "v2" }],
  ])("is dead-lettered after an hour if this release does not know its %s", async (name, attribute) => {
    const unknown = (ageMs: number) => old({ sentAt: NOON - ageMs, attributes: { ...ATTRIBUTES, [name]: attribute } });
    const { deliver, segment, queue, log, deadLetterQueue } = setUpDeliver();
    expect(await deliver(unknown(HOUR_MS - 1_000))).toEqual(["1"]);
    expect(queue.visibility).toEqual([{ id: "1", seconds: 60 }]);
    expect(log.entry).toMatchObject({ event: "retrying", code: "unknown-version" });
    expect(await deliver(unknown(HOUR_MS))).toEqual([]);
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "unknown-version" } }]);
    expect(segment.calls).toEqual([]);
  });
});

it("a message of release 1, which has no kind and no version, is delivered", async () => {
  const attributes = { environment: { DataType: "Number", StringValue: "23" } };
  expect(await setUpDeliver().deliver(queueRecord({ attributes }))).toEqual([]);
});

describe("after a 429 of Segment,", () => {
  const pairs = ["a", "b"].flatMap((identity) =>
    ["1", "2"].map((number) => queueRecord({ identity, id: identity + number, messageId: `${identity}-${number}` })),
  );

  /** User a is answered 429, user b is accepted a little later. */
  async function slowDown(askedSeconds: number | undefined) {
    const segment = new FakeSegment(async ({ identity }) => {
      if (identity === "a") return answered(429, askedSeconds);
      await new Promise(setImmediate);
      return answered(200);
    });
    const set = setUpDeliver({ segment });
    return { ...set, failed: await set.deliver(...pairs) };
  }

  it("nothing more is sent, and other messages are retried after the time that the answer asks for", async () => {
    const { failed, segment, log } = await slowDown(40);
    expect(failed).toEqual(["a1", "a2", "b2"]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["a-1", "b-1"]);
    const notAttempted = { code: "not-attempted", reason: "Segment asked to slow down", retryInSeconds: 40 };
    expect(log.entries.find(({ messageId }) => messageId === "b-2")).toMatchObject(notAttempted);
  });

  it("other messages wait for the longest time that any answer asks for", async () => {
    const segment = new FakeSegment(({ identity }) => answered(429, identity === "a" ? 10 : 50));
    const { deliver, log } = setUpDeliver({ segment, now: () => NOON });
    await deliver(...pairs, ...messagesOf("c"));
    expect(segment.calls).toHaveLength(3);
    expect(log.entries.map(({ retryInSeconds }) => retryInSeconds)).toEqual([11, 55, 55]);
  });

  it("a call whose write key was refused is not sent again with a new key", async () => {
    const segment = new FakeSegment(({ identity }) => answered(identity === "a" ? 429 : 401));
    const { deliver } = setUpDeliver({ segment, writeKey: new FakeParameter(["old"], ["old"], ["new"]) });
    await deliver(...messagesOf("a", "b"));
    expect(segment.calls.map((call) => call.writeKey)).toEqual(["old", "old"]);
  });

  it("other users' messages wait for at most a minute, the user's for up to 30 minutes", async () => {
    const { log } = await slowDown(1_800);
    const waits = log.entries.filter(({ event }) => event === "retrying").map(({ retryInSeconds }) => retryInSeconds);
    expect(waits).toEqual([1_980, 60]);
  });
});

describe("a write key that is refused", () => {
  const refusedUntil = (key: string, status: number) =>
    new FakeSegment((_, writeKey) => answered(writeKey === key ? 200 : status));

  it.each([401, 403])("is read again after %d, and a new one is used immediately", async (status) => {
    const writeKey = new FakeParameter(["old"], ["new"]);
    const { deliver, segment, log } = setUpDeliver({ writeKey, segment: refusedUntil("new", status) });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls.map((call) => call.writeKey)).toEqual(["old", "new"]);
    expect(log.entry).toMatchObject({ event: "delivered" });
  });

  it("is read again, and nothing is sent again with the same key", async () => {
    const { deliver, segment, writeKey } = setUpDeliver({ writeKey: new FakeParameter(["key"]), segment: answering(401) });
    await deliver(queueRecord());
    expect([segment.calls.length, writeKey.refreshes]).toEqual([1, 1]);
  });

  const { name, remedy } = new FakeParameter(["key"]);
  const withOauth = `${remedy} (Segment sources that enforce OAuth are not supported)`;

  it.each<[string, number, boolean, string, readonly [string, string] | undefined]>([
    ["named with its remedy after a 401", 401, true, "write-key-refused", [name, withOauth]],
    ["named with its remedy after a 403 while the endpoint is not healthy", 403, false, "write-key-refused", [name, withOauth]],
    ["not named after a 403 while the endpoint is healthy", 403, true, "endpoint-refused", undefined],
    ["named as a possible cause after a 400 while the endpoint is not healthy", 400, false, "endpoint-refused", [name, remedy]],
    ["not named after a 400 while the endpoint is healthy", 400, true, "endpoint-refused", undefined],
  ])("is %s", async (_, status, healthy, code, named) => {
    const { deliver, log } = setUpDeliver({ segment: refusing("stack-request-1", status) });
    await deliver(queueRecord(), ...(healthy ? messagesOf("b") : []));
    const entry = log.entries.find(({ event }) => event === "retrying");
    expect(entry).toMatchObject({ code, actor: "operator", status });
    expect([entry?.parameter, entry?.remedy]).toEqual(named ?? [undefined, undefined]);
  });
});

describe("with forward: changes, deliver", () => {
  const changesOf = (records: FakeRecords) => ({ records, endpoint: "https://s", refreshSeconds: 3_600 });
  const setUpChanges = (records = new FakeRecords(), segment = new FakeSegment()) => ({
    ...setUpDeliver({ segment, changes: changesOf(records) }),
    records,
  });
  const evaluation = (sequence: number, plan: string, input: MessageInput = {}): SQSRecord => {
    const id = String(sequence);
    return queueRecord({ id, messageId: `m-${id}`, sequence, traits: { plan }, ...input });
  };

  it("sends nothing while the record can't be read, whatever the message", async () => {
    const { deliver, segment, log } = setUpChanges(new FakeRecords((operation) => operation === "read"));
    expect(await deliver(queueRecord({ body: "hello" }))).toEqual(["sqs-1"]);
    expect(segment.calls).toEqual([]);
    expect(log.entry).toMatchObject({ event: "retrying", error: { code: "table-failed" } });
  });

  it("sends nothing if the fingerprints can't be removed", async () => {
    let failing = false;
    const { deliver, segment, log } = setUpChanges(new FakeRecords((operation) => failing && operation === "write"));
    await deliver(evaluation(1, "A"));
    failing = true;
    expect(await deliver(evaluation(2, "B"))).toEqual(["2"]);
    expect(segment.calls).toHaveLength(1);
    expect(log.entries.at(-1)).toMatchObject({ event: "retrying", error: { code: "table-failed" } });
  });

  it("settles a call that could not be recorded, with one warning, and reads the record again", async () => {
    let writes = 0;
    const records = new FakeRecords((operation) => operation === "write" && writes++ === 0);
    const { deliver, segment, log } = setUpChanges(records);
    expect(await deliver(evaluation(1, "A"), evaluation(2, "A"))).toEqual([]);
    expect(segment.calls).toHaveLength(2);
    expect(log.entries.map(({ event }) => event)).toEqual(["delivered", "not-recorded", "delivered"]);
    expect(log.entries[1]).toMatchObject({ messageId: "m-1", error: { code: "table-failed", actor: "aws" } });
  });

  it.each<[string, MessageInput]>([
    ["was received before", { receiveCount: 2 }],
    ["was redriven", { sentAt: NOON + 61_000 }],
  ])("does not record a call whose message %s: Segment may have dropped it as known", async (_, input) => {
    const { deliver, segment, records } = setUpChanges();
    expect(await deliver(evaluation(1, "A", input))).toEqual([]);
    expect([segment.calls.length, records.writes.length]).toEqual([1, 0]);
  });

  it("skips a message that is already settled, even if it can't be read", async () => {
    const { deliver, segment, log, deadLetterQueue } = setUpChanges();
    await deliver(evaluation(7, "A"));
    expect(await deliver(evaluation(6, "B"), queueRecord({ id: "odd", body: "hello", sequence: 7 }))).toEqual([]);
    expect([segment.calls.length, deadLetterQueue.sent.length]).toEqual([1, 0]);
    expect(log.entries.slice(1).map(({ event }) => event)).toEqual(["unchanged", "unchanged"]);
  });

  it("counts no unchanged message for health, because nothing was attempted", async () => {
    const segment = new FakeSegment(({ identity }) => answered(identity === "user-1" ? 400 : 200));
    const { deliver, deadLetterQueue, log, clock } = setUpChanges(new FakeRecords(), segment);
    await deliver(evaluation(1, "A", { identity: "other" }));
    clock.nowMs += 600_000;
    for (let i = 2; i < 8; i++) {
      await deliver(evaluation(i, "A", { identity: "other" }), evaluation(1, "A", { sentAt: NOON - 4 * HOUR_MS }));
    }
    expect(log.entries.filter(({ event }) => event === "unchanged")).toHaveLength(6);
    expect(deadLetterQueue.sent).toEqual([]);
  });

  it("records under the key that Segment accepted", async () => {
    const records = new FakeRecords();
    const segment = new FakeSegment((_, key) => answered(key === "new" ? 200 : 401));
    const rotated = setUpDeliver({ segment, writeKey: new FakeParameter(["old"], ["new"]), changes: changesOf(records) });
    await rotated.deliver(evaluation(1, "A"));
    const after = setUpDeliver({ writeKey: new FakeParameter(["new"]), changes: changesOf(records) });
    await after.deliver(evaluation(2, "A"));
    expect(after.log.entry).toMatchObject({ event: "unchanged" });
  });

  it("writes nothing in a dry run", async () => {
    const records = new FakeRecords();
    const { deliver, log } = setUpDeliver({ dryRun: true, changes: changesOf(records) });
    await deliver(evaluation(1, "A"));
    expect([log.entry.event, records.writes]).toEqual(["dry-run", []]);
  });
});

describe("the messages of a user who sends faster than Segment answers", () => {
  const flood = (receiveCount = 1) =>
    Array.from({ length: 5 }, (_, n) => {
      const about = { messageId: `e${n}-1`, traits: { n }, sentAt: NOON - 20 * DAY_MS, sequence: n + 1 };
      return queueRecord({ id: String(n), receiveCount, ...about });
    });
  const ids = ["0", "1", "2", "3", "4"];
  const expired = [{ attributes: { reason: "expired", messageId: "e0-1" } }];

  it("are delivered in one call, and each message has its entry", async () => {
    const { deliver, segment, log } = setUpDeliver();
    expect(await deliver(...flood(), ...messagesOf("b"))).toEqual([]);
    const [merged, other, ...more] = segment.calls.map(({ call }) => JSON.parse(call.body));
    expect(more).toEqual([]);
    expect([merged, other]).toMatchObject([
      { userId: "user-1", traits: { n: 4 } },
      { userId: "b", messageId: "b" },
    ]);
    const entries = log.entries.filter(({ event }) => event === "merged");
    expect(entries.map(({ messageId }) => messageId)).toEqual(["e0-1", "e1-1", "e2-1", "e3-1", "e4-1"]);
    expect(entries[0]).toMatchObject({ userId: "user-1", mergedInto: merged.messageId, status: 200, latencyMs: 250 });
  });

  it("are sent singly while the user fails, because a merged unit is never dead-lettered", async () => {
    let status = 503;
    const { deliver, segment, deadLetterQueue, log } = setUpDeliver({ segment: new FakeSegment(() => answered(status)) });
    expect(await deliver(...flood())).toEqual(ids);
    expect(log.entry).toMatchObject({ event: "retrying", messageId: "e0-1", held: 4 });
    expect(deadLetterQueue.sent).toEqual([]);
    expect(await deliver(...flood())).toEqual(ids.slice(1));
    expect(deadLetterQueue.sent).toMatchObject(expired);
    status = 200;
    await deliver(...flood());
    expect(segment.calls.slice(2).map(({ call }) => call.messageId)).toEqual(["e0-1", "e1-1", "e2-1", "e3-1", "e4-1"]);
    await deliver(...flood());
    expect(segment.calls).toHaveLength(8);
  });

  it("are sent singly from the tenth receive on, in new containers as well", async () => {
    const ninth = setUpDeliver({ segment: answering(503) });
    expect(await ninth.deliver(...flood(9))).toEqual(ids);
    const tenth = setUpDeliver({ segment: answering(503) });
    expect(await tenth.deliver(...flood(10))).toEqual(ids.slice(1));
    expect(tenth.deadLetterQueue.sent).toMatchObject(expired);
  });

  it("are sent singly with mergeBacklog: false", async () => {
    const { deliver, segment } = setUpDeliver({ mergeBacklog: false });
    await deliver(...flood());
    expect(segment.calls).toHaveLength(5);
  });

  it("are sent singly if merging throws", async () => {
    const deep = callBody({ messageId: "e9-1" }).replace("true", "[".repeat(50_000) + "]".repeat(50_000));
    const { deliver, segment } = setUpDeliver();
    expect(await deliver(...flood(), queueRecord({ id: "deep", body: deep, sequence: 6 }))).toEqual([]);
    expect(segment.calls).toHaveLength(6);
  });

  it("are merged up to one that can't be read", async () => {
    const { deliver, segment, deadLetterQueue } = setUpDeliver();
    const odd = queueRecord({ id: "odd", body: "hello", sequence: 6 });
    const behind = queueRecord({ id: "behind", messageId: "e9-1", sequence: 7 });
    expect(await deliver(...flood(), odd, behind)).toEqual(["behind"]);
    expect(segment.calls).toHaveLength(1);
    expect(deadLetterQueue.sent).toMatchObject([{ body: "hello" }]);
  });

  it("are recorded after a merged call even if they were received before, because its id is new", async () => {
    const records = new FakeRecords();
    const { deliver, segment } = setUpDeliver({ changes: { records, endpoint: "https://s", refreshSeconds: 3_600 } });
    await deliver(...flood(2));
    expect(records.writes).toHaveLength(1);
    // All of them are settled, so one that is received again is not sent, although its trait has another value by now.
    expect(await deliver(...flood(3).slice(3, 4))).toEqual([]);
    expect(segment.calls).toHaveLength(1);
  });
});

describe("an event that is not a batch of the queue", () => {
  it.each([
    ["the console's test event", { key1: "value1" }],
    ["a warmer's event", {}],
    ["nothing", undefined],
    ["text", "ping"],
    ["records of another kind", { Records: ["record"] }],
  ])("logs one warning and returns normally: %s", async (_, event) => {
    const { invoke, segment, log, deadLetterQueue } = setUpDeliver();
    expect(await invoke(event)).toEqual([]);
    expect(log.entry).toMatchObject({ event: "unknown-source", requestId: "invocation-1" });
    expect([segment.calls, deadLetterQueue.sent]).toEqual([[], []]);
  });

  it("reports records of another queue as failed, with one warning, while those of the queue are delivered", async () => {
    const { invoke, segment, log } = setUpDeliver();
    const foreign = { ...queueRecord({ id: "foreign" }), eventSourceARN: "arn:aws:sqs:us-east-1:123456789012:MyQueue" };
    expect(await invoke(queueEvent(foreign, queueRecord({ messageId: "ours" })))).toEqual(["foreign"]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["ours"]);
    expect(log.entries.map(({ event }) => event)).toEqual(["unknown-source", "delivered"]);
  });
});

describe("a record that lacks a field, or has no number where one belongs", () => {
  const { attributes } = queueRecord();

  it.each<[string, object]>([
    ["no SequenceNumber", { attributes: { ...attributes, SequenceNumber: undefined } }],
    ["a SequenceNumber that is no number", { attributes: { ...attributes, SequenceNumber: "first" } }],
    ["no SentTimestamp", { attributes: { ...attributes, SentTimestamp: undefined } }],
    ["a receive count that is no number", { attributes: { ...attributes, ApproximateReceiveCount: "many" } }],
    ["no attributes", { attributes: undefined }],
    ["no body", { body: undefined }],
  ])("becomes unreadable-message alone: %s", async (_, change) => {
    const { invoke, segment, deadLetterQueue } = setUpDeliver();
    const broken = { ...queueRecord({ id: "broken" }), ...change };
    expect(await invoke({ Records: [broken, ...messagesOf("b")] })).toEqual([]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["b"]);
    expect(deadLetterQueue.sent).toMatchObject([{ attributes: { reason: "unreadable-message", messageId: "broken" } }]);
    expect(deadLetterQueue.sent[0]?.body).not.toBe("");
  });

  it("stays in the queue if the dead-letter queue does not take it", async () => {
    const { invoke, queue } = setUpDeliver({ deadLetterQueue: new FakeQueue(sqsFails) });
    const broken = { ...queueRecord({ id: "broken" }), attributes: undefined };
    expect(await invoke({ Records: [broken] })).toEqual(["broken"]);
    expect(queue.visibility).toEqual([{ id: "broken", seconds: 600 }]);
  });

  it("is delivered if it only lacks message attributes, as messages of release 1 do", async () => {
    const { invoke, segment } = setUpDeliver();
    expect(await invoke({ Records: [{ ...queueRecord(), messageAttributes: undefined }] })).toEqual([]);
    expect(segment.calls).toHaveLength(1);
  });
});
