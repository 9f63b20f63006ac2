import type { Terminal } from "../command";
import { explain } from "../explain";

/** `warning`: it works, and may not for long. Only `failed` makes the exit code 1. */
export type Level = "ok" | "warning" | "failed";

export interface Verdict {
  readonly level: Level;
  readonly detail: string;
  /** What fixes it. */
  readonly fix?: string;
}

export interface Finding extends Verdict {
  readonly check: string;
}

/** `fix` only where something is to be fixed. */
export function verdict(level: Level, detail: string, fix = ""): Verdict {
  return level === "ok" ? { level, detail } : { level, detail, fix };
}

/** A check, and what the credentials need for it. */
export interface Check {
  readonly name: string;
  readonly needs: string;
  readonly look: () => Promise<Verdict>;
}

/** What the check finds, or that it can't look. `blind`: how bad that is. */
export async function examine(
  { name, needs, look }: Check,
  environment: Terminal["environment"],
  blind: Level,
): Promise<Finding> {
  try {
    return { check: name, ...(await look()) };
  } catch (error) {
    return { check: name, ...verdict(blind, `can't be looked at: ${explain(error, environment)}`, needs) };
  }
}
