import type { Invisibility, QueueMessage } from "../../lambda/adapters/queue";
import type { SegmentAnswer } from "../../lambda/adapters/segment";
import type { LogEvent } from "../../lambda/contract";
import type { ParameterError } from "../../lambda/domain/errors";
import type { IdentifyCall } from "../../lambda/domain/identify";
import type { LogFields, Telemetry } from "../../lambda/telemetry";

export interface Line extends LogFields {
  readonly event: LogEvent;
  readonly message: string;
  readonly error?: unknown;
}

/** Keeps every outcome line. */
export class RecordingTelemetry implements Telemetry {
  readonly lines: Line[] = [];
  readonly steps: string[] = [];

  recorder(bound: LogFields) {
    return {
      step: (text: string) => void this.steps.push(text),
      outcome: (event: LogEvent, message: string, fields?: LogFields, error?: unknown) => {
        this.lines.push({ ...bound, ...fields, event, message, error });
      },
    };
  }

  staleParameter(error: ParameterError): void {
    this.lines.push({ event: "parameter-stale", message: error.message, error });
  }

  deliveredUnknown(messageId: string, error: unknown): void {
    this.lines.push({ event: "delivered-unknown", message: "", messageId, error });
  }

  /** The only line. */
  get line(): Line {
    const [line, ...others] = this.lines;
    if (line === undefined || others.length > 0) throw new Error(`${this.lines.length} lines, not one`);
    return line;
  }
}

/** Parameters that were given; any other name is a mistake of the test. A list is read one by one, its last one for good. */
export class FakeParameters {
  readonly reads: string[] = [];
  readonly refreshed: string[] = [];
  readonly #values: Map<string, (string | Error)[]>;

  constructor(values: Readonly<Record<string, string | Error | readonly (string | Error)[]>>) {
    this.#values = new Map(
      Object.entries(values).map(([name, value]) => [
        name,
        typeof value === "string" || value instanceof Error ? [value] : [...value],
      ]),
    );
  }

  async get(name: string): Promise<string> {
    this.reads.push(name);
    const values = this.#values.get(name);
    const value = values !== undefined && values.length > 1 ? values.shift() : values?.[0];
    if (value === undefined) throw new Error(`the test gives no parameter ${name}`);
    if (value instanceof Error) throw value;
    return value;
  }

  remedy(name: string): string {
    return `aws ssm put-parameter --name ${name}`;
  }

  refresh(name: string): Promise<string> {
    this.refreshed.push(name);
    return this.get(name);
  }
}

/** Stores what is sent, or throws what it is told to. */
export class FakeQueue {
  readonly sent: QueueMessage[] = [];
  readonly invisible: Invisibility[] = [];

  constructor(private readonly failure?: Error) {}

  async send(messages: readonly QueueMessage[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.sent.push(...messages);
  }

  async setVisibility(messages: readonly Invisibility[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.invisible.push(...messages);
  }
}

type Reply = (call: IdentifyCall, writeKey: string) => SegmentAnswer | Promise<SegmentAnswer>;

/** Answers as told, call by call. */
export class FakeSegment {
  readonly calls: { readonly call: IdentifyCall; readonly writeKey: string }[] = [];

  constructor(private readonly reply: Reply = () => answered(200)) {}

  async identify(call: IdentifyCall, writeKey: string): Promise<SegmentAnswer> {
    this.calls.push({ call, writeKey });
    return this.reply(call, writeKey);
  }
}

const VERDICT_OF_STATUS = {
  200: "delivered",
  400: "rejected",
  401: "key-refused",
  429: "retry",
  500: "retry",
} as const satisfies Readonly<Record<number, SegmentAnswer["verdict"]>>;

export function answered(status: keyof typeof VERDICT_OF_STATUS, retryAfter?: number): SegmentAnswer {
  return { verdict: VERDICT_OF_STATUS[status], status, reason: `status ${status}`, retryAfter, elapsed: 120 };
}
