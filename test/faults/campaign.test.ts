import type { Handlers } from "../local/local-cloud";
import { SEED } from "../support/seed";
import { runScenario } from "./campaign";
import { type Fault, faultsMet, hasFault, verdictOn } from "./faults";

const options = { events: 100, identities: 15, seed: SEED, containers: 2 };

/** A short run of `npm run faults`. Rows with events of their own are long, and are run once. */
describe.each(["every", "changes"] as const)(`the fault campaign, forward %s, SEED=${SEED}`, (forward) => {
  const rows = faultsMet(forward).filter(({ events }) => events === undefined || forward === "every");

  it.each(rows.map((fault) => [fault.name, fault] as const))("loses and reorders nothing: %s", async (_, fault) => {
    const result = await runScenario(fault, { ...options, forward });
    expect(result).toMatchObject({ lost: 0, reordered: 0, invented: 0, events: fault.events ?? 100 });
    expect(result.strikes > 0).toBe(hasFault(fault));
    expect(verdictOn(fault, result)).toEqual([]);
  });
});

/** Handlers with a fault of their own: what the campaign must not let pass. */
describe("the campaign finds", () => {
  const failing: Fault = { name: "Segment 500", segment: (_, random) => ({ status: random() < 0.4 ? 500 : 200 }) };
  const run = (sabotage: (handlers: Handlers) => Handlers) => runScenario(failing, options, sabotage);

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
    const { lost } = await runScenario(sabotaged, options, ({ receive, deliver }) => ({
      deliver,
      receive: async (event, context) => ({ ...(await receive(event, context)), statusCode: 202 }),
    }));
    expect(lost).toBe(100);
  });
});
