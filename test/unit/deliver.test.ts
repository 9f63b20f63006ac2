import type { SQSRecord } from "aws-lambda";
import { AwsCallError, ParameterError } from "../../lambda/errors";
import { DAY_SECONDS, HOUR_SECONDS, TIMING } from "../../lambda/timing";
import { ATTRIBUTES, callBody, type MessageInput, NOON, queueEvent, queueRecord } from "../cloud/events";
import { changesOf, setUpDeliver, withVariation } from "../support/deliver";
import { answered, FakeParameter, FakeQueue, FakeRecords, FakeSegment } from "../support/fakes";

const TWELVE_DAYS_AGO = NOON - 12_000 * DAY_SECONDS;
const noKey = new ParameterError("/…/segment-write-key", "parameter-missing", "operator", "aws ssm put-parameter …");
const sqsFails = new AwsCallError("sqs:SendMessageBatch", "timeout", true);

/** Answers this status to one call, and accepts all others. */
const refusing = (messageId: string, status: number | undefined) =>
  new FakeSegment((call) => answered(call.messageId === messageId ? status : 200));
const answering = (status: number | undefined, askedSeconds?: number) => new FakeSegment(() => answered(status, askedSeconds));

/** One message of each of these users; its ids at SQS and at Segment are the user's name. */
const messagesOf = (...users: readonly string[]) =>
  users.map((identity) => queueRecord({ id: identity, identity, messageId: identity }));
/** Several messages of one user. */
const inOrder = (ids: readonly string[], input: MessageInput = {}) =>
  ids.map((id, index) => queueRecord({ id, messageId: id, sequence: index + 1, ...input }));
const idsOf = (segment: FakeSegment) => segment.calls.map(({ call }) => call.messageId);

describe("an invocation of deliver", () => {
  it("sends the call of a message and logs it", async () => {
    const segment = new FakeSegment(() => {
      clock.nowMs += 7;
      return answered(200);
    });
    const { deliver, log, clock } = setUpDeliver({ segment });
    expect(await deliver(queueRecord({ identity: "ж", receiveCount: 3 }))).toEqual([]);
    expect(segment.calls).toMatchObject([{ call: { body: callBody({ identity: "ж" }) }, writeKey: "key" }]);
    expect(log.entry).toMatchObject({
      event: "delivered",
      requestId: "invocation-1",
      messageId: "stack-request-1",
      userId: "ж",
      environment: 23,
      traitCount: 1,
      bytes: Buffer.byteLength(callBody({ identity: "ж" })),
      durationMs: 7,
      latencyMs: 257,
      segmentMs: 120,
      status: 200,
      attempt: 3,
    });
  });

  it.each([
    ...[200, 408, 429, 500, undefined].map((status) => [status, undefined] as const),
    ...[301, 400, 401, 404, 501].map((status) => [status, "operator"] as const),
  ])("writes no trait to the log, whatever Segment answers, and who must act: %s, %s", async (status, actor) => {
    const { deliver, log } = setUpDeliver({ segment: answering(status) });
    await deliver(queueRecord({ traits: { NAME: "VALUE" } }));
    expect(log.entry.actor).toBe(actor);
    expect(JSON.stringify(log.entry)).not.toMatch(/NAME|VALUE/);
  });

  it("keeps a user's order and stops at the user's first failure, while other users' messages are delivered", async () => {
    const { deliver, segment } = setUpDeliver({ segment: refusing("a2", 500) });
    const ids = ["a1", "b1", "a2", "a3", "b2"];
    const failed = await deliver(...ids.map((id) => queueRecord({ id, identity: id.slice(0, 1), messageId: id })));
    expect(failed).toEqual(["a2", "a3"]);
    expect(idsOf(segment).filter((id) => id.startsWith("a"))).toEqual(["a1", "a2"]);
    expect(idsOf(segment).filter((id) => id.startsWith("b"))).toEqual(["b1", "b2"]);
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
    const segment = new FakeSegment(() => {
      clock.timeLeftMs = TIMING.deliverUnitMs - 1;
      return answered(200);
    });
    const { deliver, queue, log, clock } = setUpDeliver({ segment });
    clock.timeLeftMs = TIMING.deliverUnitMs;
    expect(await deliver(...inOrder(["1", "2", "3"]))).toEqual(["2", "3"]);
    expect(queue.visibility.map(({ seconds }) => seconds)).toEqual([2, 2]);
    expect(log.entries).toMatchObject([
      { event: "delivered" },
      { event: "retrying", code: "not-attempted", messageId: "2", retryInSeconds: 2, held: 1 },
    ]);
  });

  const sentAt = "2026-11-23T12:00:00.250Z";

  it.each([
    ["every", undefined, { userId: "user-1", traits: { dark_mode: true }, sentAt }],
    ["changes", changesOf(), { batch: [{ type: "identify" }, { event: "Experiment Viewed" }], sentAt }],
  ])("logs what it would send in a dry run with forward: %s, and records nothing", async (_, changes, call) => {
    const { deliver, segment, log } = setUpDeliver({ dryRun: true, changes });
    expect(await deliver(queueRecord({ attributes: withVariation("A") }))).toEqual([]);
    expect([segment.calls, changes?.records.writes ?? []]).toEqual([[], []]);
    expect(log.entry).toMatchObject({ event: "dry-run", messageId: "stack-request-1", call });
  });
});

describe("a message that fails", () => {
  it("stays in the queue with the user's messages behind it, and the entry says why and for how long", async () => {
    const { deliver, log, queue, deadLetterQueue } = setUpDeliver({ segment: answering(500, 30) });
    expect(await deliver(...inOrder(["1", "2", "3"]))).toEqual(["1", "2", "3"]);
    expect(deadLetterQueue.sent).toEqual([]);
    expect(queue.visibility).toEqual(["1", "2", "3"].map((id) => ({ id, seconds: 33 })));
    const why = { code: "server-error", status: 500, reason: "status 500", actor: undefined, segmentMs: 120, durationMs: 0 };
    expect(log.entry).toMatchObject({ event: "retrying", messageId: "1", ...why, ageMs: 250, retryInSeconds: 33, held: 2 });
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
  const old = { sentAt: NOON - 4_000 * HOUR_SECONDS, receiveCount: 9 };

  it("is dead-lettered at its fourth failure in a row, and the messages behind it become visible immediately", async () => {
    const segment = new FakeSegment(({ messageId }) => answered(["1", "e", "f"].includes(messageId) ? 400 : 200));
    const { deliver, deadLetterQueue, queue, log } = setUpDeliver({ segment });
    const user = inOrder(["1", "2"], { ...old, attributes: withVariation("A") });
    // Retries do not count for the first of the two shares.
    const retried = ["e", "f"].map((id) => queueRecord({ id, identity: id, messageId: id, receiveCount: 2 }));
    const failed: (readonly string[])[] = [];
    for (let i = 0; i < 4; i++) failed.push(await deliver(...retried, ...user, ...messagesOf("a", "b", "c", "d")));
    expect(failed.map((ids) => ids.slice(2))).toEqual([["1", "2"], ["1", "2"], ["1", "2"], ["2"]]);
    const about = { reason: "isolated-failure", status: 400, messageId: "1" };
    const attributes = { kind: "identify", version: 1, environment: 23, experiments: '{"checkout":"A"}', ...about };
    const groupId = queueRecord().attributes.MessageGroupId;
    expect(deadLetterQueue.sent).toEqual([{ body: callBody({ messageId: "1" }), groupId, deduplicationId: "1", attributes }]);
    expect(queue.visibility.at(-1)).toEqual({ id: "2", seconds: 0 });
    expect(log.entries.at(-1)).toMatchObject({ event: "dead-lettered", ...about, code: "endpoint-refused", held: 1 });
  });

  it("is not dead-lettered while other users fail too, even if their answers come late", async () => {
    const segment = new FakeSegment(async ({ identity }) => {
      if (identity !== "p8" && identity !== "p9") return answered(404);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      return answered(200);
    });
    const ten = Array.from({ length: 10 }, (_, i) => queueRecord({ ...old, identity: `p${i}`, receiveCount: 1 }));
    const { deliver, deadLetterQueue } = setUpDeliver({ segment });
    for (let i = 0; i < 6; i++) await deliver(...ten);
    expect(deadLetterQueue.sent).toEqual([]);
  });

  it("stays in the queue if the dead-letter queue can't be reached", async () => {
    const { deliver, log } = setUpDeliver({ deadLetterQueue: new FakeQueue(sqsFails), segment: answering(400) });
    expect(await deliver(queueRecord({ sentAt: TWELVE_DAYS_AGO }))).toEqual(["sqs-1"]);
    const message = "could not be moved to the dead-letter queue";
    expect(log.entry).toMatchObject({ event: "retrying", message, status: 400, error: sqsFails, retryInSeconds: 600 });
  });

  it("is dead-lettered even if the visibility of the messages behind it can't be set", async () => {
    const { deliver, log } = setUpDeliver({ queue: new FakeQueue(sqsFails), segment: answering(400) });
    expect(await deliver(...inOrder(["1", "2"], { sentAt: TWELVE_DAYS_AGO }))).toEqual(["2"]);
    const visibility = expect.stringMatching(/^visibility not set/);
    expect(log.entry).toMatchObject({ event: "dead-lettered", held: 1, visibility });
    expect(log.entry).not.toHaveProperty("retryInSeconds");
  });

  /** JSON.stringify throws a RangeError for it, which reading needs because of the escape. */
  const deep = `"traits":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)},"b":"\\ud83d\\ude00"}`;
  const { attributes } = queueRecord();

  const fields = "every field of SQS's record";

  it.each<[string, object, string]>([
    ["its body is not JSON", { body: "hello" }, "a JSON object"],
    ["its body is nested too deeply", { body: callBody().replace(/"traits":.*}/, `${deep}}`) }, "readable JSON"],
    ["it has no body", { body: undefined }, fields],
    ["it has no attributes", { attributes: undefined }, fields],
    ["it has no SequenceNumber", { attributes: { ...attributes, SequenceNumber: undefined } }, fields],
    ["its SequenceNumber is no number", { attributes: { ...attributes, SequenceNumber: "first" } }, fields],
    ["it has no SentTimestamp", { attributes: { ...attributes, SentTimestamp: undefined } }, fields],
    ["its receive count is no number", { attributes: { ...attributes, ApproximateReceiveCount: "many" } }, fields],
  ])("alone is dead-lettered immediately as unreadable if %s, and the entry does not quote it", async (_, change, expected) => {
    const { invoke, segment, log, deadLetterQueue } = setUpDeliver();
    const broken = { ...queueRecord({ id: "broken" }), ...change };
    expect(await invoke({ Records: [broken, ...messagesOf("b")] })).toEqual([]);
    expect(idsOf(segment)).toEqual(["b"]);
    const about = { reason: "unreadable-message", messageId: "broken" };
    const groupId = broken.attributes?.MessageGroupId ?? "broken";
    const sent = { body: broken.body ?? "null", groupId, deduplicationId: "broken", attributes: about };
    expect(deadLetterQueue.sent).toMatchObject([sent]);
    const message = `moved to the dead-letter queue: queue message: expected ${expected}`;
    expect(log.entries.find(({ event }) => event === "dead-lettered")).toMatchObject({ ...about, message });
  });

  it.each([
    ["kind", { DataType: "String", StringValue: "track" }],
    ["version", { DataType: "Number", StringValue: "2" }],
    ["version", { DataType: "String", StringValue: "v2" }],
  ])("is not sent if this release does not know its %s", async (name, attribute) => {
    const { deliver, segment, log } = setUpDeliver();
    expect(await deliver(queueRecord({ attributes: { ...ATTRIBUTES, [name]: attribute } }))).toEqual(["sqs-1"]);
    expect(segment.calls).toEqual([]);
    expect(log.entry).toMatchObject({ event: "retrying", code: "unknown-version", attempt: 1, retryInSeconds: 60 });
  });

  it.each([{}, undefined])("is delivered without kind and version, as in release 1: %j", async (messageAttributes) => {
    const { invoke, segment } = setUpDeliver();
    expect(await invoke({ Records: [{ ...queueRecord(), messageAttributes }] })).toEqual([]);
    expect(segment.calls).toHaveLength(1);
  });
});

describe("after a 429 of Segment", () => {
  it("nothing more is sent, and other messages wait for the longest time that any answer asks for", async () => {
    const segment = new FakeSegment(async ({ identity }) => {
      if (identity !== "c") return answered(429, identity === "a" ? 40 : 10);
      await new Promise(setImmediate);
      return answered(200);
    });
    const { deliver, log } = setUpDeliver({ segment });
    const ids = ["a1", "a2", "b1", "c1", "c2"];
    const failed = await deliver(...ids.map((id) => queueRecord({ id, identity: id.slice(0, 1), messageId: id })));
    expect(failed).toEqual(["a1", "a2", "b1", "c2"]);
    expect(idsOf(segment)).toEqual(["a1", "b1", "c1"]);
    const notAttempted = { code: "not-attempted", reason: "Segment asked to slow down", retryInSeconds: 40 };
    expect(log.entries.find(({ messageId }) => messageId === "c2")).toMatchObject(notAttempted);
  });

  it("a call whose write key was refused is not sent again with a new key", async () => {
    const segment = new FakeSegment(({ identity }) => answered(identity === "a" ? 429 : 401));
    const { deliver } = setUpDeliver({ segment, writeKey: new FakeParameter(["old"], ["old"], ["new"]) });
    await deliver(...messagesOf("a", "b"));
    expect(segment.calls.map((call) => call.writeKey)).toEqual(["old", "old"]);
  });
});

describe("a write key that is refused", () => {
  it.each([401, 403])("is read again after %d, and a new one is used immediately, also for the record", async (status) => {
    const changes = changesOf();
    const segment = new FakeSegment((_, key) => answered(key === "new" ? 200 : status));
    const { deliver } = setUpDeliver({ segment, changes, writeKey: new FakeParameter(["old"], ["new"]) });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls.map(({ writeKey }) => writeKey)).toEqual(["old", "new"]);
    const { deliver: deliverLater, log } = setUpDeliver({ changes, writeKey: new FakeParameter(["new"]) });
    await deliverLater(queueRecord({ sequence: 2 }));
    expect(log.entry).toMatchObject({ event: "unchanged" });
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
  const evaluation = (sequence: number, plan: string, input: MessageInput = {}): SQSRecord => {
    const id = String(sequence);
    return queueRecord({ id, messageId: `m-${id}`, sequence, traits: { plan }, ...input });
  };

  it("sends the evaluations that changed something: three of A, B, B, A and A", async () => {
    const { deliver, segment } = setUpDeliver({ changes: changesOf() });
    for (const [index, plan] of ["A", "B", "B", "A", "A"].entries()) await deliver(evaluation(index + 1, plan));
    expect(idsOf(segment)).toEqual(["m-1", "m-2", "m-4"]);
  });

  it("sends nothing while the record can't be read, whatever the message", async () => {
    const changes = changesOf(new FakeRecords((operation) => operation === "read"));
    const { deliver, segment, log } = setUpDeliver({ changes });
    expect(await deliver(queueRecord({ body: "hello" }))).toEqual(["sqs-1"]);
    expect(segment.calls).toEqual([]);
    expect(log.entry).toMatchObject({ event: "retrying", error: { code: "table-failed" } });
  });

  it("sends nothing if the fingerprints can't be removed", async () => {
    let failing = false;
    const changes = changesOf(new FakeRecords((operation) => failing && operation === "write"));
    const { deliver, segment, log } = setUpDeliver({ changes });
    await deliver(evaluation(1, "A"));
    failing = true;
    expect(await deliver(evaluation(2, "B"))).toEqual(["2"]);
    expect(segment.calls).toHaveLength(1);
    expect(log.entries.at(-1)).toMatchObject({ event: "retrying", error: { code: "table-failed" } });
  });

  it("settles a call that could not be recorded, with one warning, and reads the record again", async () => {
    let writes = 0;
    const changes = changesOf(new FakeRecords((operation) => operation === "write" && writes++ === 0));
    const { deliver, segment, log } = setUpDeliver({ changes });
    expect(await deliver(evaluation(1, "A"), evaluation(2, "A"))).toEqual([]);
    expect(segment.calls).toHaveLength(2);
    expect(log.entries.map(({ event }) => event)).toEqual(["delivered", "not-recorded", "delivered"]);
    expect(log.entries[1]).toMatchObject({ messageId: "m-1", error: { code: "table-failed", actor: "aws" } });
  });

  it.each<[string, MessageInput]>([
    ["was received before", { receiveCount: 2 }],
    ["was redriven", { sentAt: NOON + 61_000 }],
  ])("does not record a call whose message %s: Segment may have dropped it as known", async (_, input) => {
    const { deliver, segment, changes } = setUpDeliver({ changes: changesOf() });
    expect(await deliver(evaluation(1, "A", input))).toEqual([]);
    expect([segment.calls.length, changes.records.writes.length]).toEqual([1, 0]);
  });

  it("skips a message that is already settled, even if it can't be read", async () => {
    const { deliver, segment, log, deadLetterQueue } = setUpDeliver({ changes: changesOf() });
    await deliver(evaluation(7, "A"));
    expect(await deliver(evaluation(6, "B"), queueRecord({ id: "odd", body: "hello", sequence: 7 }))).toEqual([]);
    expect([segment.calls.length, deadLetterQueue.sent.length]).toEqual([1, 0]);
    expect(log.entries.slice(1).map(({ event }) => event)).toEqual(["unchanged", "unchanged"]);
  });

  it("counts no unchanged message for health, because nothing was attempted", async () => {
    const segment = new FakeSegment(({ identity }) => answered(identity === "user-1" ? 400 : 200));
    const { deliver, deadLetterQueue, log, clock } = setUpDeliver({ segment, changes: changesOf() });
    await deliver(evaluation(1, "A", { identity: "other" }));
    clock.nowMs += 600_000;
    for (let i = 2; i < 8; i++) {
      await deliver(evaluation(i, "A", { identity: "other" }), evaluation(1, "A", { sentAt: NOON - 4_000 * HOUR_SECONDS }));
    }
    expect(log.entries.filter(({ event }) => event === "unchanged")).toHaveLength(6);
    expect(deadLetterQueue.sent).toEqual([]);
  });
});

describe("the messages of a user who sends faster than Segment answers", () => {
  const ids = ["e0-1", "e1-1", "e2-1", "e3-1", "e4-1"];
  const flood = (receiveCount = 1) =>
    ids.map((id, n) =>
      queueRecord({ id, messageId: id, traits: { n }, sentAt: TWELVE_DAYS_AGO, sequence: n + 1, receiveCount }),
    );
  const expired = [{ attributes: { reason: "expired", messageId: "e0-1" } }];

  it("are delivered in one call, and each message has its entry", async () => {
    const { deliver, segment, log } = setUpDeliver();
    expect(await deliver(...flood(), ...messagesOf("b"))).toEqual([]);
    const calls = segment.calls.map(({ call }) => JSON.parse(call.body));
    expect(calls).toMatchObject([{ userId: "user-1", traits: { n: 4 } }, { messageId: "b" }]);
    const entries = log.entries.filter(({ event }) => event === "merged");
    expect(entries.map(({ messageId }) => messageId)).toEqual(ids);
    expect(entries[0]).toMatchObject({ userId: "user-1", mergedInto: calls[0].messageId, status: 200, latencyMs: 250 });
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
    expect(idsOf(segment).slice(2)).toEqual(ids);
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

  const deep = callBody({ messageId: "e9-1" }).replace("true", "[".repeat(50_000) + "]".repeat(50_000));

  it.each([
    ["with mergeBacklog: false", { mergeBacklog: false }, flood()],
    ["if merging throws", {}, [...flood(), queueRecord({ id: "deep", body: deep, sequence: 6 })]],
  ])("are sent singly %s", async (_, overrides, messages) => {
    const { deliver, segment } = setUpDeliver(overrides);
    expect(await deliver(...messages)).toEqual([]);
    expect(segment.calls).toHaveLength(messages.length);
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
    const { deliver, segment, changes } = setUpDeliver({ changes: changesOf() });
    await deliver(...flood(2));
    expect(changes.records.writes).toHaveLength(1);
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
    const reason = "the event is not a batch from SQS";
    expect(log.entry).toMatchObject({ event: "unknown-source", requestId: "invocation-1", reason });
    expect([segment.calls, deadLetterQueue.sent]).toEqual([[], []]);
  });

  it("reports records of another queue as failed, with one warning, while those of the queue are delivered", async () => {
    const { invoke, segment, log } = setUpDeliver();
    const foreign = { ...queueRecord({ id: "foreign" }), eventSourceARN: "arn:aws:sqs:us-east-1:123456789012:MyQueue" };
    expect(await invoke(queueEvent(foreign, queueRecord({ messageId: "ours" })))).toEqual(["foreign"]);
    expect(idsOf(segment)).toEqual(["ours"]);
    expect(log.entries.map(({ event }) => event)).toEqual(["unknown-source", "delivered"]);
  });
});
