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
const { awsCall } = TIMING;

const longestCall = 4 * awsCall + 3 * TIMING.segmentSlowAttempt + 2 * TIMING.secondTryPause + 2 * awsCall;

describe("the time-outs", () => {
  it.each<[string, number, number]>([
    ["an AWS call ends within the budget of receive", awsCall, TIMING.receiveBudget],
    ["receive answers before the function is stopped", TIMING.receiveBudget, receive - 1_000],
    ["receive is stopped before Flagsmith gives up", receive, TIMING.senderTimeout - 1_000],
    ["connecting ends within a call to Segment", TIMING.segmentConnect, TIMING.segmentAttempt - 1],
    [
      "the table, the key read twice, three calls, the table again: a call ends in the time that is kept for it",
      longestCall,
      TIMING.deliverCall,
    ],
    ["deliver has time for a call at its longest", TIMING.deliverCall, deliver],
    ["and to begin another after one that was slow", TIMING.segmentSlowAttempt, deliver - TIMING.deliverCall],
    ["a batch is over before SQS hands it out again", 6 * deliver, 1_000 * queue.VisibilityTimeout],
    ["a key is read again more often than it expires", TIMING.secretRefresh, TIMING.parameterTtl],
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
