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

/** `AbortSignal.timeout` can't be ended early: thousands would wait for their time in a container that is busy. */
export function beginBudget(milliseconds: number): {
  readonly signal: AbortSignal;
  readonly end: () => void;
} {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), milliseconds);
  return { signal: controller.signal, end: () => clearTimeout(timer) };
}
