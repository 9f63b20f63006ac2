import { TIMING, type Timing } from "./timing";

/** What a composition root takes from the machine. */
export interface Runtime {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly timing: Timing;
}

export const RUNTIME: Runtime = { now: () => Date.now(), random: Math.random, timing: TIMING };
