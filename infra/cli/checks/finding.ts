import type { Terminal } from "../command";
import { explain, missingRight } from "../explain";

/**
 * `info`: a fact that is not judged. `skip`: the check could not look. `warning`: it works now, but may fail soon.
 * Only `failed` makes the exit code 1.
 */
export type Level = "ok" | "info" | "skip" | "warning" | "failed";

export interface Verdict {
  readonly level: Level;
  readonly detail: string;
  /** How to fix it. It is given only if the check saw the cause. */
  readonly fix?: string;
}

export interface Finding extends Verdict {
  readonly check: string;
}

const MARKS = { ok: "ok  ", info: "info", skip: "skip", warning: "warn", failed: "FAIL" };

/** The finding as the commands print it. */
export function lineOf({ check, level, detail, fix }: Finding): string {
  return `${MARKS[level]}  ${check}: ${detail}${fix === undefined ? "" : ` -> ${fix}`}`;
}

/** Drops `fix` if nothing must be fixed. */
export function verdict(level: Level, detail: string, fix = ""): Verdict {
  return level === "ok" || level === "info" || fix === "" ? { level, detail } : { level, detail, fix };
}

/** One subject of `doctor`. It may give several findings. */
export interface Check {
  readonly name: string;
  /** The rights that the check needs, for an error that does not name the missing one. */
  readonly needs: string;
  readonly look: () => Promise<Verdict | readonly Finding[]>;
}

/** What the check finds, or why it could not check. */
export async function examine({ name, needs, look }: Check, environment: Terminal["environment"]): Promise<readonly Finding[]> {
  try {
    const found = await look();
    return "level" in found ? [{ check: name, ...found }] : found;
  } catch (error) {
    const detail = `not looked at: ${explain(error, environment)}`;
    return [{ check: name, ...verdict("skip", detail, missingRight(error, needs)) }];
  }
}

/** The text of a finding that needs the pipeline's name. */
export const UNNAMED =
  "not looked at: the functions were deployed by a release that does not write the pipeline's name into CONFIG; deploy this one";
