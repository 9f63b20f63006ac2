import { type Machine, RETRY_SECONDS, type RetrySeconds, TIMING } from "../../lambda/timing";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { REJECTED_USER } from "../cloud/segment";

/** Segment's mode `reject` refuses the first one's calls. */
export const DEMO_USERS = [REJECTED_USER, "bob", "cat", "dan"];
/** 3 hours are 45 s, 10 minutes 2.5 s. */
export const DEMO_DIVISOR = 240;
/** Milliseconds between two evaluations of one user. */
export const DEMO_ROUND_MS = 1_000;

/** The real machine with a retry policy that hurries: clock and time-outs stay real, so that the operator's commands agree. */
export function hurriedMachine(divisor: number): Machine {
  const retrySeconds: Record<keyof RetrySeconds, number> = { ...RETRY_SECONDS };
  let name: keyof RetrySeconds;
  for (name in retrySeconds) retrySeconds[name] /= divisor;
  return { now: Date.now, random: Math.random, timing: TIMING, retrySeconds };
}

const VARIANTS = ["a", "b", "c"];
/** Rounds after which a user's flags change, so that option `forward: "changes"` has something to do. */
const ROUNDS_PER_VARIANT = 5;

/** A body of the documentation's shape: a variant, a switch, and a flag whose name Segment keeps for itself. */
export function demoEvaluation(user: string, round: number): Buffer {
  const turn = Math.floor(round / ROUNDS_PER_VARIANT) + DEMO_USERS.indexOf(user);
  const flags = [
    flagPayload({ name: "checkout", value: VARIANTS[turn % VARIANTS.length] }),
    flagPayload({ name: "dark_mode", enabled: turn % 2 === 0 }),
    flagPayload({ name: "email", enabled: false }),
  ];
  return bytesOf(evaluationPayload({ identity: user, flags }));
}

export interface DemoOptions {
  readonly send: (body: Buffer) => Promise<unknown>;
  /** Resolves to false when the demo is to end. */
  readonly pause: (milliseconds: number) => Promise<boolean>;
  readonly roundMs: number;
}

/**
 * Sends an evaluation of each user per round, spread over it: otherwise the users' batches would end together, and each would hold too
 * few of one user's calls to merge them.
 */
export async function runDemo({ send, pause, roundMs }: DemoOptions): Promise<void> {
  for (let round = 0; ; round++) {
    for (const user of DEMO_USERS) {
      void send(demoEvaluation(user, round));
      if (!(await pause(roundMs / DEMO_USERS.length))) return;
    }
  }
}
