import { SEED } from "../support/seed";
import { runScenario } from "./campaign";
import { type Fault, hasFault, verdictOn } from "./faults";

/** A short run of `npm run faults`. */
export const SHORT = { events: 100, identities: 15, seed: SEED, containers: 2 };

/** One test per row. */
export function testRows(forward: "every" | "changes", rows: readonly Fault[]): void {
  describe(`with forward: ${forward}, whatever fails, SEED=${SEED}`, () => {
    let running = new AbortController();
    beforeEach(() => {
      running = new AbortController();
    });
    // Ends a row that is still running because its test timed out.
    afterEach(() => running.abort());

    it.each(rows.map((fault) => [fault.name, fault] as const))(
      "nothing is lost, reordered or delayed for other users: %s",
      async (_, fault) => {
        const result = await runScenario(fault, { ...SHORT, forward, signal: running.signal });
        expect(result).toMatchObject({ lost: 0, reordered: 0, invented: 0, events: fault.events ?? SHORT.events });
        expect(result.strikes > 0).toBe(hasFault(fault));
        expect(verdictOn(fault, result)).toEqual([]);
      },
    );
  });
}
