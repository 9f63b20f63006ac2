import { readReceiveConfig } from "../../lambda/config";
import { composeDeliver, composeReceive, mappingOf } from "../../lambda/wiring";
import { createDynamodb, createTable } from "../cloud/dynamodb";
import { environmentsOf, NAMES, TABLE } from "../cloud/environments";
import { bytesOf, evaluationPayload, NOON, queueEvent, queueRecord, webhookEvent } from "../cloud/events";
import { FifoQueue } from "../cloud/fifo-queue";
import { FakeSegment } from "../cloud/segment";
import { close, listen, REGION } from "../cloud/server";
import { FakeSqs } from "../cloud/sqs";
import { FakeSsm } from "../cloud/ssm";
import { captureOutput } from "../support/capture";
import { machine, realMachine } from "../support/machine";

/** The functions as they are composed, between fakes of AWS and Segment, over a clock that the test moves. */
let goodKey: string;
let reads: number;
let silent: "SSM" | "SQS" | undefined;
let ssmFails: boolean;
const clock = { now: NOON };
const queueOptions = { clock, visibility: 1_000, retention: 1_000_000 };

const ssm = new FakeSsm(() => {
  reads++;
  if (silent === "SSM") return "hanging";
  return ssmFails ? "denied" : undefined;
});
const segment = new FakeSegment({ behave: ({ writeKey }) => ({ status: writeKey === goodKey ? 200 : 401 }) });
const queues = { "queue.fifo": new FifoQueue(queueOptions), "dead-letters.fifo": new FifoQueue(queueOptions) };
const sqs = new FakeSqs({ queues, behave: () => (silent === "SQS" ? "hanging" : undefined) });
const servers = [ssm.server, sqs.server, segment.server, createDynamodb()];
const capture = captureOutput();
let places: Parameters<typeof environmentsOf>[0];

beforeAll(async () => {
  const [ssmUrl = "", sqsUrl = "", segmentUrl = "", dynamodbUrl = ""] = await Promise.all(
    servers.map((server) => listen(server)),
  );
  places = { ssmUrl, sqsUrl, segmentUrl, dynamodbUrl };
  await createTable(dynamodbUrl, TABLE, {
    AttributeDefinitions: [{ AttributeName: "identity", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
});
beforeEach(() => {
  clock.now = NOON;
  reads = 0;
  silent = undefined;
  ssmFails = false;
  goodKey = "new-key";
  ssm.set(NAMES.writeKey, "old-key");
  ssm.set(NAMES.webhookSecret, "old secret");
  capture.clear();
});
afterAll(async () => {
  capture.end();
  await Promise.all(servers.map(close));
});

/** Time-outs are long, because an attempt that times out on a busy machine is one read more. */
const timing = { awsAttemptMs: 60_000, awsCallMs: 120_000, receiveBudgetMs: 120_000, segmentAttemptMs: 60_000 };
const testMachine = () => machine({ now: () => clock.now, timing });

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

describe("a parameter", () => {
  /** How often SSM is asked from the first webhook on, at these times. */
  const readsAt = async (elapsedMs: readonly number[], afterTheFirst = () => {}) => {
    const receive = composeReceive(environmentsOf(places).receive, testMachine());
    const event = webhookEvent({ secret: "old secret" });
    await receive(event, { awsRequestId: "invocation" });
    afterTheFirst();
    const counts: number[] = [];
    for (const ms of elapsedMs) {
      clock.now = NOON + ms;
      await receive(event, { awsRequestId: "invocation" });
      counts.push(reads - 1);
    }
    return counts;
  };

  it("is read again after five minutes", async () => {
    expect(await readsAt([299_999, 300_000])).toEqual([0, 1]);
  });

  it("that could not be read is read again after a second", async () => {
    ssmFails = true;
    expect(await readsAt([999, 1_000])).toEqual([0, 1]);
  });

  it("that could not be read again is used for ten more seconds", async () => {
    const fail = () => {
      ssmFails = true;
    };
    expect(await readsAt([300_000, 309_999, 310_000], fail)).toEqual([1, 1, 2]);
    expect(capture.lines().filter(({ event }) => event === "parameter-stale")).toHaveLength(2);
  });

  it("that holds only blanks has an entry with the command that sets it", async () => {
    const kmsKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/1";
    const { receive, deliver } = environmentsOf(places, { kmsKeyArn });
    for (const name of [NAMES.webhookSecret, NAMES.writeKey]) ssm.set(name, " ");
    await composeReceive(receive, testMachine())(webhookEvent(), { awsRequestId: "invocation" });
    const context = { awsRequestId: "invocation", getRemainingTimeInMillis: () => 60_000 };
    await composeDeliver(deliver, testMachine())(queueEvent(queueRecord()), context);
    const commandOf = (name: string, value: string) =>
      `aws ssm put-parameter --region ${REGION} --name ${name} --type SecureString --key-id ${kmsKeyArn} --value '${value}' --overwrite`;
    expect(capture.lines().map(({ remedy }) => remedy)).toEqual([
      commandOf(NAMES.webhookSecret, "<the secret set in Flagsmith>"),
      commandOf(NAMES.writeKey, "<the write key>"),
    ]);
  });
});

describe("with forward: changes", () => {
  it("a trait is sent again after refreshHours", async () => {
    const options = { forward: "changes", refreshHours: 12 } as const;
    const deliver = composeDeliver(environmentsOf(places, options).deliver, testMachine());
    goodKey = "old-key";
    const eventsAt = async (hours: number, sequence: number) => {
      clock.now = NOON + hours * 3_600_000;
      const record = queueRecord({ id: `${sequence}`, messageId: `m${sequence}`, sequence, sentAt: NOON });
      await deliver(queueEvent(record), { awsRequestId: "invocation", getRemainingTimeInMillis: () => 60_000 });
      return capture.lines().at(-1)?.event;
    };
    expect([await eventsAt(0, 1), await eventsAt(11.99, 2), await eventsAt(12, 3)]).toEqual([
      "delivered",
      "unchanged",
      "delivered",
    ]);
  });
});

describe("the flags of experiments", () => {
  it("are those that the option names", () => {
    const { receive } = environmentsOf(places, { experiments: ["checkout*"], forward: "changes" });
    const { selectsExperiment } = mappingOf(readReceiveConfig(receive));
    expect(["checkout-b", "other"].map(selectsExperiment)).toEqual([true, false]);
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
    // Each attempt takes 150 ms of the budget.
    expect(reads).toBeLessThanOrEqual(5);
  });

  it("is queued with the configuration of an earlier release, which does not have the newest options", async () => {
    const { receive: environment } = environmentsOf(places);
    const { experiments: _, removeTraits: __, ...earlier } = JSON.parse(environment.CONFIG ?? "");
    const receive = composeReceive({ ...environment, CONFIG: JSON.stringify(earlier) }, testMachine());
    const event = webhookEvent({ secret: "old secret" });
    expect(await receive(event, { awsRequestId: "invocation" })).toMatchObject({ statusCode: 202 });
  });

  it.each([true, false])("has Flagsmith's traits in its call with flagsmithTraits: %s", async (flagsmithTraits) => {
    const receive = composeReceive(environmentsOf(places, { flagsmithTraits }).receive, testMachine());
    const body = bytesOf(evaluationPayload({ traits: [{ trait_key: "plan", trait_value: "pro" }] }));
    await receive(webhookEvent({ secret: "old secret", body }), { awsRequestId: "invocation" });
    expect(capture.lines()).toMatchObject([{ event: "accepted", traitCount: flagsmithTraits ? 2 : 1 }]);
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
