import { TIMING } from "../../lambda/timing";
import { templateOf } from "../support/synth";

/** Nothing may end before what it waits for. All in milliseconds. */
const template = templateOf();

function propertiesOf(type: string, holds: (properties: Readonly<Record<string, unknown>>) => boolean) {
  const found = Object.values(template.findResources(type)).find(({ Properties: each }) => holds(each));
  if (found === undefined) throw new Error(`no ${type}`);
  return found.Properties;
}

const timeoutOf = (description: string) =>
  1_000 * propertiesOf("AWS::Lambda::Function", ({ Description: text }) => String(text).startsWith(description)).Timeout;
const receive = timeoutOf("Verifies");
const deliver = timeoutOf("Delivers");
const queue = propertiesOf("AWS::SQS::Queue", ({ RedrivePolicy: policy }) => policy !== undefined);
const { awsCallMs, segmentAttemptMs } = TIMING;
/** The record read again, the key read twice, the call sent twice, the record written twice; then dead letter and visibility. */
const longestUnitMs = 5 * awsCallMs + 2 * segmentAttemptMs + 2 * awsCallMs;

describe("the time-outs", () => {
  it.each<[string, number, number]>([
    ["an AWS call ends within the budget of receive", awsCallMs, TIMING.receiveBudgetMs],
    ["receive answers before the function is stopped", TIMING.receiveBudgetMs, receive - 1_000],
    ["receive is stopped before Flagsmith gives up", receive, TIMING.senderTimeoutMs - 1_000],
    ["connecting ends within a call to Segment", TIMING.segmentConnectMs, TIMING.segmentAttemptMs - 1],
    ["a unit at its longest ends in the time that is kept for it", longestUnitMs, TIMING.deliverUnitMs],
    ["deliver has time for a unit at its longest", TIMING.deliverUnitMs, deliver],
    ["deliver has time to begin another unit after a slow one", TIMING.segmentAttemptMs, deliver - TIMING.deliverUnitMs],
    ["a batch is over before SQS hands it out again", 6 * deliver, 1_000 * queue.VisibilityTimeout],
    ["a key is read again more often than it expires", TIMING.secretRefreshMs, TIMING.parameterTtlMs],
  ])("%s", (_, shorter, longer) => {
    expect(shorter).toBeLessThanOrEqual(longer);
  });
});

describe("the queue", () => {
  it("keeps messages for longer than the 12 days after which deliver moves them, and at SQS's highest receive limit", () => {
    expect(queue.MessageRetentionPeriod).toBe(14 * 24 * 3_600);
    expect(queue.RedrivePolicy.maxReceiveCount).toBe(1_000);
  });

  it("does not use that limit up in a day while invocations fail whole", () => {
    expect(queue.VisibilityTimeout * queue.RedrivePolicy.maxReceiveCount).toBeGreaterThan(24 * 3_600);
  });
});
