import type { SQSRecord } from "aws-lambda";
import { AwsCallError, ParameterError } from "../../lambda/domain/errors";
import { type DeliverDependencies, deliverHandler } from "../../lambda/handlers/deliver";
import { TIMING } from "../../lambda/timing";
import { callBody, NOON, queueEvent, queueRecord } from "../support/builders";
import { answered, FakeParameters, FakeQueue, FakeSegment, RecordingTelemetry } from "../support/fakes";

const PARAMETER = "/flagsmith-to-segment/test/segment-write-key";

function setUp(overrides: Partial<DeliverDependencies> = {}) {
  const telemetry = new RecordingTelemetry();
  const segment = new FakeSegment();
  const deadLetters = new FakeQueue();
  const queue = new FakeQueue();
  const context = { awsRequestId: "invocation-1", remaining: Number(TIMING.deliverFunction) };
  const parameters = new FakeParameters({ [PARAMETER]: "key" });
  const deps = {
    config: { writeKeyParameter: PARAMETER, dryRun: false },
    parameters,
    segment,
    changes: undefined,
    queue,
    deadLetters,
    telemetry,
    now: () => NOON + 250,
    random: () => 0.5,
    timing: TIMING,
    ...overrides,
  };
  const handler = deliverHandler(deps);
  const deliver = async (...records: readonly SQSRecord[]) => {
    const { batchItemFailures } = await handler(queueEvent(...records), {
      awsRequestId: context.awsRequestId,
      getRemainingTimeInMillis: () => context.remaining,
    });
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  };
  return { deliver, telemetry, segment, queue, deadLetters, parameters, context };
}

describe("deliver", () => {
  it("hands a message to Segment and reports nothing failed", async () => {
    const { deliver, segment, telemetry } = setUp();
    expect(await deliver(queueRecord({ receiveCount: 3 }))).toEqual([]);
    expect(segment.calls).toMatchObject([{ call: { body: callBody() }, writeKey: "key" }]);
    expect(telemetry.line).toMatchObject({
      event: "delivered",
      requestId: "invocation-1",
      messageId: "stack-request-1",
      userId: "user-1",
      environment: 23,
      traitCount: 1,
      bytes: Buffer.byteLength(callBody()),
      durationMs: 0,
      latencyMs: 250,
      status: 200,
      attempt: 3,
    });
  });

  it("keeps one identity's order and stops it at its first failure, but no other identity", async () => {
    const segment = new FakeSegment(({ messageId }) => answered(messageId === "a-2" ? 500 : 200));
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
    expect(sent.filter((id) => id.startsWith("a"))).toEqual(["a-1", "a-2"]);
    expect(sent.filter((id) => id.startsWith("b"))).toEqual(["b-1", "b-2"]);
  });

  it("runs the identities of a batch at the same time", async () => {
    const waiting: (() => void)[] = [];
    const segment = new FakeSegment(
      () =>
        new Promise((resolve) => {
          waiting.push(() => resolve(answered(200)));
          if (waiting.length === 3) for (const release of waiting) release();
        }),
    );
    const { deliver } = setUp({ segment });
    const records = ["a", "b", "c"].map((identity) => queueRecord({ id: identity, identity }));
    expect(await deliver(...records)).toEqual([]);
  });

  it("keeps a message that Segment may take later", async () => {
    const { deliver, telemetry, deadLetters } = setUp({ segment: new FakeSegment(() => answered(500)) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(deadLetters.sent).toEqual([]);
    expect(telemetry.line).toMatchObject({
      event: "retrying",
      status: 500,
      reason: "status 500",
      ageMs: expect.any(Number),
    });
  });

  it("moves a message that Segment rejects to the dead letters, and goes on with the identity's next", async () => {
    const segment = new FakeSegment(({ messageId }) => answered(messageId === "m-1" ? 400 : 200));
    const { deliver, telemetry, deadLetters } = setUp({ segment });
    const failed = await deliver(
      queueRecord({ id: "1", messageId: "m-1" }),
      queueRecord({ id: "2", messageId: "m-2" }),
    );
    expect(failed).toEqual([]);
    expect(deadLetters.sent).toEqual([
      {
        body: callBody({ messageId: "m-1" }),
        groupId: queueRecord().attributes.MessageGroupId,
        deduplicationId: "1",
        attributes: { environment: 23, reason: "rejected-by-segment", status: 400, messageId: "m-1" },
      },
    ]);
    expect(telemetry.lines).toMatchObject([
      { event: "dead-lettered", messageId: "m-1", reason: "rejected-by-segment", status: 400 },
      { event: "delivered", messageId: "m-2" },
    ]);
  });

  it("moves a message that receive did not write to the dead letters, under its id at SQS", async () => {
    const { deliver, segment, telemetry, deadLetters } = setUp();
    expect(await deliver(queueRecord({ body: "hello" }))).toEqual([]);
    expect(segment.calls).toEqual([]);
    expect(deadLetters.sent).toMatchObject([
      {
        body: "hello",
        deduplicationId: "sqs-1",
        attributes: { reason: "unreadable-message", messageId: "sqs-1" },
      },
    ]);
    expect(telemetry.line).toMatchObject({ event: "dead-lettered", reason: "unreadable-message" });
  });

  it("keeps a message that the dead-letter queue did not take", async () => {
    const deadLetters = new FakeQueue(new AwsCallError("sqs:SendMessageBatch", "timeout", true));
    const { deliver, telemetry } = setUp({ deadLetters, segment: new FakeSegment(() => answered(400)) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(telemetry.line).toMatchObject({ event: "retrying", reason: "rejected-by-segment" });
  });

  it("reads a refused write key anew and tries once more", async () => {
    const parameters = new FakeParameters({ [PARAMETER]: ["old", "new"] });
    const segment = new FakeSegment((_, writeKey) => answered(writeKey === "new" ? 200 : 401));
    const { deliver, telemetry } = setUp({ parameters, segment });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls.map(({ writeKey }) => writeKey)).toEqual(["old", "new"]);
    expect(parameters.refreshed).toEqual([PARAMETER]);
    expect(telemetry.line).toMatchObject({ event: "delivered" });
  });

  it("keeps the message when the key is refused again, and logs which parameter to mend", async () => {
    const segment = new FakeSegment(() => answered(401));
    const { deliver, telemetry } = setUp({ segment });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(telemetry.line).toMatchObject({
      event: "retrying",
      code: "write-key-refused",
      actor: "operator",
      status: 401,
      parameter: PARAMETER,
      remedy: expect.stringContaining(`aws ssm put-parameter --name ${PARAMETER}`),
    });
    expect(segment.calls).toHaveLength(2);
  });

  it("keeps every message when the write key is missing", async () => {
    const missing = new ParameterError(PARAMETER, "parameter-missing", "aws ssm put-parameter …");
    const { deliver, telemetry } = setUp({ parameters: new FakeParameters({ [PARAMETER]: missing }) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(telemetry.line).toMatchObject({
      event: "retrying",
      parameter: PARAMETER,
      remedy: "aws ssm put-parameter …",
    });
  });

  it("takes the first line of the write key's parameter", async () => {
    const { deliver, segment } = setUp({ parameters: new FakeParameters({ [PARAMETER]: " key \n" }) });
    await deliver(queueRecord());
    expect(segment.calls[0]?.writeKey).toBe("key");
  });

  it("keeps a message when something fails that nobody foresaw", async () => {
    const segment = new FakeSegment(() => {
      throw new TypeError("a defect");
    });
    const { deliver, telemetry } = setUp({ segment });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(telemetry.line).toMatchObject({ event: "retrying", error: expect.any(TypeError) });
  });

  describe("with forward: changes", () => {
    const comparing = (unchanged: boolean, recorded = true) => {
      const calls: string[] = [];
      const compare = async ({ messageId }: { readonly messageId: string }) => {
        calls.push(`compare ${messageId}`);
        return {
          unchanged,
          record: async () => {
            calls.push(`record ${messageId}`);
            return recorded;
          },
        };
      };
      return { calls, changes: { compare } };
    };

    it("does not send what is unchanged", async () => {
      const { changes, calls } = comparing(true);
      const { deliver, segment, telemetry } = setUp({ changes });
      expect(await deliver(queueRecord())).toEqual([]);
      expect(segment.calls).toEqual([]);
      expect(calls).toEqual(["compare stack-request-1"]);
      expect(telemetry.line).toMatchObject({
        event: "unchanged",
        messageId: "stack-request-1",
        traitCount: 1,
      });
    });

    it("records what Segment took, and nothing else", async () => {
      const taken = comparing(false);
      await setUp({ changes: taken.changes }).deliver(queueRecord());
      expect(taken.calls).toEqual(["compare stack-request-1", "record stack-request-1"]);
      const refused = comparing(false);
      const segment = new FakeSegment(() => answered(500));
      await setUp({ changes: refused.changes, segment }).deliver(queueRecord());
      expect(refused.calls).toEqual(["compare stack-request-1"]);
    });

    it("sends on when it could not be recorded, unasked, and keeps all of the identity's messages", async () => {
      const { changes, calls } = comparing(false, false);
      const { deliver, segment, telemetry } = setUp({ changes });
      const records = ["1", "2"].map((id) => queueRecord({ id, messageId: id }));
      expect(await deliver(...records)).toEqual(["1", "2"]);
      expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["1", "2"]);
      expect(calls).toEqual(["compare 1", "record 1"]);
      expect(telemetry.lines).toMatchObject([
        { event: "delivered", messageId: "2" },
        { event: "retrying", messageId: "1", status: 200, retryInSeconds: 2, held: 1 },
      ]);
      // Segment has it: nobody waits.
      expect(telemetry.lines[1]).not.toHaveProperty("ageMs");
    });
  });

  it.each([
    ["fails", () => answered(500), 1, 2],
    ["fails again", () => answered(500), 5, 32],
    ["asks for a time", () => answered(500, 90), 5, 90],
    ["refuses the key", () => answered(401), 3, 8],
  ])(
    "sets when a message comes back by how often it was received, where Segment %s",
    async (_, reply, receiveCount, seconds) => {
      const { deliver, queue, telemetry } = setUp({ segment: new FakeSegment(reply) });
      await deliver(queueRecord({ receiveCount }));
      expect(queue.invisible).toEqual([{ receiptHandle: "receipt-sqs-1", seconds }]);
      expect(telemetry.line).toMatchObject({ event: "retrying", retryInSeconds: seconds });
    },
  );

  it("brings an identity's messages back together, not the later ones later", async () => {
    const { deliver, queue, telemetry } = setUp({ segment: new FakeSegment(() => answered(500)) });
    const records = ["1", "2", "3"].map((id) => queueRecord({ id, messageId: id, receiveCount: Number(id) }));
    expect(await deliver(...records)).toEqual(["1", "2", "3"]);
    expect(queue.invisible).toEqual(
      ["1", "2", "3"].map((id) => ({ receiptHandle: `receipt-${id}`, seconds: 2 })),
    );
    expect(telemetry.line).toMatchObject({ messageId: "1", held: 2 });
  });

  it("reports the failure even if SQS does not take the schedule, and says when the message comes then", async () => {
    const queue = new FakeQueue(new AwsCallError("sqs:ChangeMessageVisibilityBatch", "timeout", true));
    const { deliver, telemetry } = setUp({ queue, segment: new FakeSegment(() => answered(500)) });
    expect(await deliver(queueRecord())).toEqual(["sqs-1"]);
    expect(telemetry.line).toMatchObject({
      event: "retrying",
      retryInSeconds: 450,
      visibility: "schedule not set: sqs:ChangeMessageVisibilityBatch failed: timeout",
    });
  });

  it("sends nothing more of a batch once Segment answered 429, and waits for as long as it asked", async () => {
    const segment = new FakeSegment(async ({ messageId }) => {
      if (messageId === "a-1") return answered(429, 60);
      await new Promise(setImmediate);
      return answered(200);
    });
    const { deliver, queue, telemetry } = setUp({ segment });
    const failed = await deliver(
      queueRecord({ id: "1", identity: "a", messageId: "a-1" }),
      queueRecord({ id: "2", identity: "b", messageId: "b-1" }),
      queueRecord({ id: "3", identity: "b", messageId: "b-2" }),
    );
    expect(failed).toEqual(["1", "3"]);
    expect(segment.calls.map(({ call }) => call.messageId)).toEqual(["a-1", "b-1"]);
    expect(queue.invisible.map(({ seconds }) => seconds)).toEqual([60, 60]);
    expect(telemetry.lines.at(-1)).toMatchObject({
      event: "retrying",
      message: "not tried, Segment asked to slow down",
      messageId: "b-2",
      status: 429,
      retryInSeconds: 60,
    });
  });

  it("starts nothing that the invocation's time may not end, and lets it come back at once", async () => {
    const segment = new FakeSegment(async () => {
      context.remaining = TIMING.deliverAttempt - 1;
      return answered(200);
    });
    const { deliver, queue, telemetry, context } = setUp({ segment });
    context.remaining = TIMING.deliverAttempt;
    const records = ["1", "2", "3"].map((id) => queueRecord({ id, messageId: id }));
    expect(await deliver(...records)).toEqual(["2", "3"]);
    expect(queue.invisible.map(({ seconds }) => seconds)).toEqual([0, 0]);
    expect(telemetry.lines).toMatchObject([
      { event: "delivered" },
      { event: "retrying", messageId: "2", retryInSeconds: 0, held: 1 },
    ]);
  });

  it("logs the call instead of sending it in a dry run", async () => {
    const { deliver, segment, telemetry } = setUp({ config: { writeKeyParameter: PARAMETER, dryRun: true } });
    expect(await deliver(queueRecord())).toEqual([]);
    expect(segment.calls).toEqual([]);
    expect(telemetry.line).toMatchObject({
      event: "dry-run",
      messageId: "stack-request-1",
      call: { userId: "user-1", traits: { dark_mode: true }, sentAt: "2026-11-23T12:00:00.250Z" },
    });
  });
});
