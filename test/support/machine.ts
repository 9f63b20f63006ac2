import { type Machine, RETRY_SECONDS, TIMING } from "../../lambda/timing";
import { NOON } from "../cloud/events";

type Overrides = Omit<Partial<Machine>, "timing"> & { readonly timing?: Partial<Machine["timing"]> };

/** A machine whose clock stands at NOON, with the time-outs of production but for those given. */
export function machine({ timing, ...overrides }: Overrides = {}): Machine {
  return { now: () => NOON, random: () => 0.5, retrySeconds: RETRY_SECONDS, ...overrides, timing: { ...TIMING, ...timing } };
}

/** The real clock and real chance. */
export function realMachine(timing: Partial<Machine["timing"]> = {}): Machine {
  return machine({ now: Date.now, random: Math.random, timing });
}
