import fc from "fast-check";

/** Seed of this run's property tests. `SEED=<n>` repeats a run. */
export const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);

fc.configureGlobal({ seed: SEED });

/** Calls `describe` with the seed in the title. */
export function describeProperties(title: string, tests: () => void): void {
  describe(`${title}, SEED=${SEED}`, tests);
}
