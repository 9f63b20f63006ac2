import { TIMING } from "../../lambda/timing";
import { templateOf } from "../support/synth";

/** Each timeout must be shorter than that of what waits for it. All in milliseconds. */
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

describe("the timeouts are chosen so that", () => {
  it.each<[string, number, number]>([
    ["an AWS call ends within the budget of receive", awsCallMs, TIMING.receiveBudgetMs],
    ["receive answers before the function is stopped", TIMING.receiveBudgetMs, receive - 1_000],
    ["receive is stopped before Flagsmith stops waiting", receive, TIMING.senderTimeoutMs - 1_000],
    ["connecting ends within an attempt at Segment", TIMING.segmentConnectMs, TIMING.segmentAttemptMs - 1],
    ["the longest unit ends in the time that is reserved for it", longestUnitMs, TIMING.deliverUnitMs],
    ["deliver has time for the longest unit", TIMING.deliverUnitMs, deliver],
    ["deliver has time to begin another unit after a slow one", TIMING.segmentAttemptMs, deliver - TIMING.deliverUnitMs],
    ["a batch ends before its messages become visible again", 6 * deliver, 1_000 * queue.VisibilityTimeout],
    ["a secret can be refreshed before it expires", TIMING.secretRefreshMs, TIMING.parameterTtlMs],
  ])("%s", (_, shorter, longer) => {
    expect(shorter).toBeLessThanOrEqual(longer);
  });
});

describe("the queue", () => {
  it("does not reach its receive limit within a day while all invocations crash", () => {
    expect(queue.VisibilityTimeout * queue.RedrivePolicy.maxReceiveCount).toBeGreaterThan(24 * 3_600);
  });
});
