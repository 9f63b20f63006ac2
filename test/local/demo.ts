import { type Machine, RETRY_SECONDS, type RetrySeconds, TIMING } from "../../lambda/timing";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { REJECTED_USER } from "../cloud/segment";

/** Segment's mode `reject` refuses the calls of the first user. */
export const DEMO_USERS = [REJECTED_USER, "bob", "cat", "dan"];
/** The demo retries faster by this factor: 3 hours become 45 s, and 10 minutes become 2.5 s. */
export const DEMO_DIVISOR = 240;
/** Milliseconds between two evaluations of one user. */
export const DEMO_ROUND_MS = 1_000;

/** The real machine with a faster retry policy. Clock and time-outs stay real, so that the operator's commands show correct times. */
export function hurriedMachine(divisor: number): Machine {
  const retrySeconds: Record<keyof RetrySeconds, number> = { ...RETRY_SECONDS };
  let name: keyof RetrySeconds;
  for (name in retrySeconds) retrySeconds[name] /= divisor;
  return { now: Date.now, random: Math.random, timing: TIMING, retrySeconds };
}

const VARIANTS = ["a", "b", "c"];
/** Rounds after which a user's flags change, so that option `forward: "changes"` has something to do. */
const ROUNDS_PER_VARIANT = 5;

/** A body like the documentation's: a flag with a variant, a flag that is on or off, and a flag whose name Segment reserves. */
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
 * Sends one evaluation of each user per round, spread over the round. Otherwise the users' batches would end at the same time, and each
 * batch would hold too few calls of one user to merge them.
 */
export async function runDemo({ send, pause, roundMs }: DemoOptions): Promise<void> {
  for (let round = 0; ; round++) {
    for (const user of DEMO_USERS) {
      void send(demoEvaluation(user, round));
      if (!(await pause(roundMs / DEMO_USERS.length))) return;
    }
  }
}
