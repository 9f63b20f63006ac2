import { BACKOFF, retryDelay } from "../../lambda/domain/backoff";
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
  1_000 *
  propertiesOf("AWS::Lambda::Function", ({ Description: text }) => String(text).startsWith(description))
    .Timeout;
const receive = timeoutOf("Verifies");
const deliver = timeoutOf("Hands");
const queue = propertiesOf("AWS::SQS::Queue", ({ RedrivePolicy: policy }) => policy !== undefined);
const awsCall = TIMING.awsAttempts * TIMING.awsAttempt + (TIMING.awsAttempts - 1) * TIMING.awsPause;

describe("the time-outs", () => {
  it.each<[string, number, number]>([
    ["an AWS call ends within the budget of receive", awsCall, TIMING.receiveBudget],
    ["receive answers before the function is stopped", TIMING.receiveBudget, receive - 1_000],
    ["receive is stopped before Flagsmith gives up", receive, TIMING.senderTimeout - 1_000],
    ["connecting ends within a call to Segment", TIMING.segmentConnect, TIMING.segmentAttempt - 1],
    [
      "an attempt holds two reads of the key, two calls, a dead letter, a schedule and the table read and written",
      2 * (awsCall + TIMING.segmentAttempt) + 4 * awsCall,
      TIMING.deliverAttempt,
    ],
    ["deliver has time for more than one attempt at its longest", 2 * TIMING.deliverAttempt, deliver],
    ["a batch is over before SQS gives it out again", 6 * deliver, 1_000 * queue.VisibilityTimeout],
    ["a key is read anew more often than it expires", TIMING.secretRefresh, TIMING.parameterTtl],
  ])("%s", (_, shorter, longer) => {
    expect(shorter).toBeLessThanOrEqual(longer);
  });
});

describe("an outage of Segment", () => {
  it("may last as long as the queue keeps messages without one of them becoming a dead letter", () => {
    const limit = queue.RedrivePolicy.maxReceiveCount;
    let seconds = 0;
    let receives = 1;
    // The fewest seconds that the jitter allows.
    for (; seconds < queue.MessageRetentionPeriod; receives++) seconds += retryDelay(receives, () => 0);
    expect(queue.MessageRetentionPeriod).toBe(14 * 24 * 3_600);
    expect(limit).toBeLessThanOrEqual(1_000); // SQS's own
    expect(receives).toBeLessThan(limit);
    expect(receives).toBeGreaterThan(queue.MessageRetentionPeriod / BACKOFF.cap);
  });

  it("may have invocations fail whole: the queue's own visibility does not use the limit up in a day", () => {
    expect(queue.VisibilityTimeout * queue.RedrivePolicy.maxReceiveCount).toBeGreaterThan(24 * 3_600);
  });
});
