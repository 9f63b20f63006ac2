import type { LogEvent } from "../contract";
import { retryDelay } from "../domain/backoff";
import type { LogFields, Recorder } from "../telemetry";

/** `settled`: SQS may forget the message, it is at Segment or among the dead letters. If not, it comes back. */
export type Attempt = { readonly settled: true } | Unsettled;

export interface Unsettled {
  readonly settled: false;
  /** Seconds. */
  readonly retryIn: number;
  /** Segment took the call, yet that could not be recorded: those behind it may go, and all of them come again. */
  readonly unrecorded: boolean;
  /** Writes the outcome line, with what became of the schedule. */
  readonly report: (fields: LogFields) => void;
}

export interface OutcomeDependencies {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** How one attempt ends, and the line about it. */
export class Outcome {
  readonly #startedAt: number;
  #about: LogFields = {};
  #receivedAt: number | undefined;

  constructor(
    private readonly deps: OutcomeDependencies,
    private readonly recorder: Recorder,
    private readonly receiveCount: number,
  ) {
    this.#startedAt = deps.now();
  }

  /** Fields of the line, whatever the outcome. `receivedAt` in milliseconds since 1970. */
  about(fields: LogFields, receivedAt: number): void {
    this.#about = fields;
    this.#receivedAt = receivedAt;
  }

  step(text: string): void {
    this.recorder.step(text);
  }

  settle(
    event: Extract<LogEvent, "delivered" | "unchanged" | "dry-run" | "dead-lettered">,
    message: string,
    fields: LogFields = {},
    error?: unknown,
  ): Attempt {
    this.#write(event, message, fields, error);
    return { settled: true };
  }

  /** `retryAfter`: seconds that Segment asked for. `retryIn`: seconds in place of the schedule's. */
  retry(
    message: string,
    fields: LogFields,
    why: {
      readonly retryAfter?: number | undefined;
      readonly retryIn?: number;
      readonly error?: unknown;
    } = {},
  ): Unsettled {
    return {
      settled: false,
      unrecorded: false,
      retryIn: why.retryIn ?? retryDelay(this.receiveCount, this.deps.random, why.retryAfter),
      report: (schedule) =>
        this.#write("retrying", message, { ...this.#age(fields), ...fields, ...schedule }, why.error),
    };
  }

  /** How long Segment has not taken the call; one that is only not recorded has its latency instead. */
  #age({ latencyMs }: LogFields): LogFields {
    if (this.#receivedAt === undefined || latencyMs !== undefined) return {};
    return { ageMs: this.deps.now() - this.#receivedAt };
  }

  #write(event: LogEvent, message: string, fields: LogFields, error?: unknown): void {
    const durationMs = this.deps.now() - this.#startedAt;
    this.recorder.outcome(event, message, { ...this.#about, durationMs, ...fields }, error);
  }
}
