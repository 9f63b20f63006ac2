import type { Terminal } from "../command";
import { explain } from "../explain";

/** `warning`: it works, and may not for long. Only `failed` makes the exit code 1. */
export type Level = "ok" | "warning" | "failed";

export interface Finding {
  readonly check: string;
  readonly level: Level;
  readonly detail: string;
  /** What fixes it. */
  readonly fix?: string;
}

/** `fix` only where something is to be fixed. */
export function finding(check: string, level: Level, detail: string, fix: string): Finding {
  return level === "ok" ? { check, level, detail } : { check, level, detail, fix };
}

/** A check, and what the credentials need for it. */
export interface Check {
  readonly name: string;
  readonly needs: string;
  readonly look: () => Promise<Finding>;
}

/** What the check finds, or that it can't look. `blind`: how bad that is. */
export async function examine(
  { name, needs, look }: Check,
  environment: Terminal["environment"],
  blind: Level,
): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return finding(name, blind, `can't be looked at: ${explain(error, environment)}`, needs);
  }
}
