import { costPerMillion, workloadOf } from "../bench/cost";

const load = { eventsPerSecond: 500, forward: "every", receiveMs: 9, deliverMs: 200, deliverCpuMs: 0.3 } as const;

describe("the cost model", () => {
  it("adds up", () => {
    const { total, ...parts } = costPerMillion(load);
    expect(total).toBeCloseTo(Object.values(parts).reduce((sum, part) => sum + part));
    expect(parts).toMatchObject({ api: 1, dynamodb: 0 });
    // 100 on the way in ten batches: one send each, a tenth of it receives and deletes, a little polling.
    expect(parts.sqs).toBeCloseTo(0.5 * (1 + 0.2 + 0.0005));
  });

  it("charges DynamoDB a read for each evaluation, and two writes for each that changed something", () => {
    expect(costPerMillion({ ...load, forward: "changes" }).dynamodb).toBeCloseTo(0.125 + 2 * 0.0625);
  });

  it("lets a batch wait for Segment only if one of its calls is sent", () => {
    const lambdaOf = (forward: "every" | "changes", deliverMs: number) =>
      costPerMillion({ ...load, forward, deliverMs }).lambda;
    const second = (forward: "every" | "changes") => lambdaOf(forward, 2_000) - lambdaOf(forward, 1_000);
    // Full batches of ten: nine in ten unchanged leave 65 of 100 batches with something to send.
    expect(second("changes") / second("every")).toBeCloseTo(1 - 0.9 ** 10);
  });

  it("charges the way out by the byte: each answer, and each call that is sent", () => {
    expect(costPerMillion(load).transfer).toBeCloseTo(0.09 * (0.35 + 0.8));
    expect(costPerMillion({ ...load, forward: "changes" }).transfer).toBeCloseTo(0.09 * (0.35 + 0.08));
  });

  it("gets dearer when batches are small: what is on its way is spread over ten", () => {
    const sqsOf = (eventsPerSecond: number) => costPerMillion({ ...load, eventsPerSecond, deliverMs: 120 }).sqs;
    // 100 a second for 120 ms are 12, in ten batches of 1.2.
    expect(sqsOf(100)).toBeCloseTo(0.5 * (1 + 2 / 1.2 + 0.0025));
    expect(sqsOf(1)).toBeCloseTo(0.5 * (1 + 2 + 0.25));
  });

  it("stays below 4 dollars at 100 per second", () => {
    // More CPU than one core of the bench's machine takes.
    const measured = { warm: { receive: 0.4 }, deliver: 0.05 };
    expect(costPerMillion(workloadOf({ eventsPerSecond: 100, forward: "every" }, measured, "receive")).total).toBeLessThan(4);
  });
});
