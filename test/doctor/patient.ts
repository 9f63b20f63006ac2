import type { LogLine } from "../support/capture";

/** What the doctor can look at, on AWS or on a local cloud. Whatever can't be looked at throws. */
export interface Patient {
  readonly stackName: string;
  /** Outputs of the stack; undefined = there is no such stack. */
  outputs(): Promise<Readonly<Record<string, string>> | undefined>;
  /** undefined = there is no such parameter. */
  parameter(name: string): Promise<{ readonly type: string; readonly value: string } | undefined>;
  /** Lines of both functions about a call. */
  lines(messageId: string): Promise<readonly LogLine[]>;
  /** Base URL of Segment's settings, which tell whether a write key exists. */
  readonly settingsUrl: string;
  /** Milliseconds an answer of the webhook's or Segment's may take. */
  readonly patience: number;
  /** Waits before it looks at the log again. */
  pause(): Promise<void>;
}

export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What fixes it. */
  readonly fix?: string;
}

/** `fix` only where something is to be fixed. */
export function finding(check: string, ok: boolean, detail: string, fix: string): Finding {
  return ok ? { check, ok, detail } : { check, ok, detail, fix };
}

/** What `look` gives, or the finding that the doctor can't look there. */
export async function examine<Sight>(
  check: string,
  fix: string,
  look: () => Promise<Sight>,
): Promise<{ readonly sight: Sight } | { readonly blind: Finding }> {
  try {
    return { sight: await look() };
  } catch (error) {
    return { blind: finding(check, false, `can't be looked at: ${reasonOf(error)}`, fix) };
  }
}

/** Of whatever was thrown: fetch's time-out is no Error to a test's realm. */
function reasonOf(error: unknown): string {
  const { name, message, cause } = Object(error);
  if (cause instanceof Error) return cause.message || cause.name;
  return name === "Error" ? String(message) : `${name}: ${message}`;
}
