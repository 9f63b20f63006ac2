import { type Machine, RETRY_SECONDS, TIMING } from "../../lambda/timing";
import { NOON } from "../cloud/events";

export type MachineOverrides = Omit<Partial<Machine>, "timing"> & { readonly timing?: Partial<Machine["timing"]> };

/** A machine whose clock stands still at NOON. Time-outs that are not given are those of production. */
export function machine({ timing, ...overrides }: MachineOverrides = {}): Machine {
  return { now: () => NOON, random: () => 0.5, retrySeconds: RETRY_SECONDS, ...overrides, timing: { ...TIMING, ...timing } };
}

/** A machine with the real clock and real random numbers. */
export function realMachine(timing: Partial<Machine["timing"]> = {}): Machine {
  return machine({ now: Date.now, random: Math.random, timing });
}
