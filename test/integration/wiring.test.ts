import { composeDeliver, composeReceive } from "../../lambda/wiring";
import { environmentsOf, NAMES } from "../cloud/environments";
import { NOON, queueEvent, queueRecord, webhookEvent } from "../cloud/events";
import { FifoQueue } from "../cloud/fifo-queue";
import { FakeSegment } from "../cloud/segment";
import { close, listen } from "../cloud/server";
import { FakeSqs } from "../cloud/sqs";
import { FakeSsm } from "../cloud/ssm";
import { captureOutput } from "../support/capture";
import { machine, realMachine } from "../support/machine";

/** The functions as they are composed, between fakes of AWS and Segment, over a clock that the test moves. */
let goodKey: string;
let reads: number;
let silent: "SSM" | "SQS" | undefined;
const clock = { now: NOON };
const queueOptions = { clock, visibility: 1_000, retention: 1_000_000 };

const ssm = new FakeSsm(() => {
  reads++;
  return silent === "SSM" ? "hanging" : undefined;
});
const segment = new FakeSegment({ behave: ({ writeKey }) => ({ status: writeKey === goodKey ? 200 : 401 }) });
const queues = { "queue.fifo": new FifoQueue(queueOptions), "dead-letters.fifo": new FifoQueue(queueOptions) };
const sqs = new FakeSqs({ queues, behave: () => (silent === "SQS" ? "hanging" : undefined) });
const servers = [ssm.server, sqs.server, segment.server];
const capture = captureOutput();
let places: Parameters<typeof environmentsOf>[0];

beforeAll(async () => {
  const [ssmUrl = "", sqsUrl = "", segmentUrl = ""] = await Promise.all(servers.map((server) => listen(server)));
  places = { ssmUrl, sqsUrl, segmentUrl };
});
beforeEach(() => {
  clock.now = NOON;
  reads = 0;
  silent = undefined;
  goodKey = "new-key";
  ssm.set(NAMES.writeKey, "old-key");
  ssm.set(NAMES.webhookSecret, "old secret");
  capture.clear();
});
afterAll(async () => {
  capture.end();
  await Promise.all(servers.map(close));
});

const testMachine = () => machine({ now: () => clock.now });

describe("a write key that Segment refuses", () => {
  const start = () => {
    const deliver = composeDeliver(environmentsOf(places).deliver, testMachine());
    return () => deliver(queueEvent(queueRecord()), { awsRequestId: "invocation", getRemainingTimeInMillis: () => 60_000 });
  };

  it("is read again a second after it was last read", async () => {
    const deliver = start();
    await deliver();
    ssm.set(NAMES.writeKey, "new-key");
    clock.now += 1_000;
    expect(await deliver()).toEqual({ batchItemFailures: [] });
  });

  it("is read again once a second at most", async () => {
    const deliver = start();
    await deliver();
    const before = reads;
    clock.now += 999;
    await deliver();
    expect(reads).toBe(before);
  });
});

describe("a webhook secret that does not match", () => {
  it("is read again ten seconds after it was last read, and not earlier, because strangers can cause it", async () => {
    const receive = composeReceive(environmentsOf(places).receive, testMachine());
    const statusAfter = async (elapsedMs: number) => {
      clock.now = NOON + elapsedMs;
      return (await receive(webhookEvent({ secret: "new secret" }), { awsRequestId: "invocation" })).statusCode;
    };
    expect(await statusAfter(0)).toBe(401);
    ssm.set(NAMES.webhookSecret, "new secret");
    expect(await statusAfter(9_999)).toBe(401);
    expect(await statusAfter(10_000)).toBe(202);
  });
});

describe("a webhook", () => {
  /** The time-outs of production, a tenth as long. */
  const short = realMachine({ awsAttemptMs: 150, awsCallMs: 300, receiveBudgetMs: 600 });

  it.each(["SSM", "SQS"] as const)("is answered with 503 if %s does not answer", async (service) => {
    silent = service;
    const receive = composeReceive(environmentsOf(places).receive, short);
    const event = webhookEvent({ secret: "old secret" });
    expect(await receive(event, { awsRequestId: "invocation" })).toMatchObject({ statusCode: 503 });
    expect(capture.lines()).toMatchObject([{ event: "unavailable", actor: "aws" }]);
  });
});

describe("a dry run", () => {
  it("logs the call of each message, although a backlog of this size would be merged", async () => {
    const deliver = composeDeliver(environmentsOf(places, { dryRun: true, mergeBacklog: true }).deliver, testMachine());
    const ids = Array.from({ length: 10 }, (_, index) => `m${index}-1`);
    const records = ids.map((messageId, sequence) => queueRecord({ id: messageId, messageId, sequence }));
    await deliver(queueEvent(...records), { awsRequestId: "invocation", getRemainingTimeInMillis: () => 60_000 });
    expect(capture.lines().map(({ event, call }) => [event, Object(call).messageId])).toEqual(ids.map((id) => ["dry-run", id]));
  });
});
