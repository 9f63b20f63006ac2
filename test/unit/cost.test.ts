import { costPerMillion, costTable } from "../bench/cost";

const load = { eventsPerSecond: 100, forward: "every", receiveMs: 9, deliverMs: 120 } as const;

describe("the cost model", () => {
  it("adds up", () => {
    const { total, ...parts } = costPerMillion(load);
    expect(total).toBeCloseTo(Object.values(parts).reduce((sum, part) => sum + part));
    expect(parts).toMatchObject({ api: 1, dynamodb: 0 });
    // One send each, a tenth of it receives and deletes, a little polling.
    expect(parts.sqs).toBeCloseTo(0.5 * (1 + 0.2 + 0.0025));
  });

  it("charges DynamoDB by the read, and by the write of what changed", () => {
    expect(costPerMillion({ ...load, forward: "changes" }).dynamodb).toBeCloseTo(0.125 + 0.0625);
  });

  it("lets a batch wait for Segment only if one of its calls is sent", () => {
    const lambdaOf = (forward: "every" | "changes", deliverMs: number) =>
      costPerMillion({ ...load, forward, deliverMs }).lambda;
    const second = (forward: "every" | "changes") => lambdaOf(forward, 1_100) - lambdaOf(forward, 100);
    // Full batches of ten: nine in ten unchanged leave 65 of 100 batches with something to send.
    expect(second("changes") / second("every")).toBeCloseTo(1 - 0.9 ** 10);
  });

  it("gets dearer when batches are small", () => {
    expect(costPerMillion({ ...load, eventsPerSecond: 1 }).total).toBeGreaterThan(costPerMillion(load).total);
  });

  it("is a table with a row for each load", () => {
    expect(costTable({ receive: 0.2, sdk: 0.5 })).toHaveLength(8);
  });
});
