import type { Handlers } from "../local/local-cloud";
import { runScenario } from "./campaign";
import { type Fault, faultsMet } from "./faults";
import { SHORT, testRows } from "./rows";

testRows(
  "every",
  faultsMet("every").filter(({ events }) => events === undefined),
);

/** Handlers with a fault of their own: what the campaign must not let pass. */
describe("the campaign finds", () => {
  const failing: Fault = { name: "Segment 500", segment: (_, random) => ({ status: random() < 0.4 ? 500 : 200 }) };
  const run = (sabotage: (handlers: Handlers) => Handlers) => runScenario(failing, SHORT, sabotage);

  it("a deliver that reports its failures as done", async () => {
    const { lost } = await run(({ receive, deliver }) => ({
      receive,
      deliver: async (event, context) => {
        await deliver(event, context);
        return { batchItemFailures: [] };
      },
    }));
    expect(lost).toBeGreaterThan(0);
  });

  it("a deliver that goes on behind a failure", async () => {
    const { reordered, lost } = await run(({ receive, deliver }) => ({
      receive,
      deliver: async (event, context) => {
        const records: readonly object[] = Object(event).Records;
        const results = await Promise.all(records.map((record) => deliver({ Records: [record] }, context)));
        return { batchItemFailures: results.flatMap(({ batchItemFailures }) => batchItemFailures) };
      },
    }));
    expect(reordered).toBeGreaterThan(0);
    expect(lost).toBe(0);
  });

  it("a receive that says accepted when nothing was stored", async () => {
    const sabotaged: Fault = { name: "SQS throttled", sqs: () => "throttled" };
    const { lost } = await runScenario(sabotaged, SHORT, ({ receive, deliver }) => ({
      deliver,
      receive: async (event, context) => ({ ...(await receive(event, context)), statusCode: 202 }),
    }));
    expect(lost).toBe(100);
  });
});
