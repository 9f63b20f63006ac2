import type { DeliveredRecord, DeliveredRecords } from "../../lambda/adapters/delivered-table";
import type { OutgoingMessage, ReceivedMessage } from "../../lambda/adapters/queue";
import { codeOfStatus, type SegmentAnswer } from "../../lambda/adapters/segment";
import { AwsCallError, TableError } from "../../lambda/errors";
import type { IdentifyCall } from "../../lambda/identify-call";
import type { Log, Outcome } from "../../lambda/log";
import type { Evaluation, Value } from "../../lambda/receive/evaluation";
import type { IdentifyOptions } from "../../lambda/receive/identify";

export const identifyOptions: IdentifyOptions = {
  traitPrefix: "",
  traitStyle: "flagsmith",
  selectsFlag: () => true,
  selectsTrait: () => false,
  selectsExperiment: () => false,
  removeTraits: [],
  segments: false,
  anonymousIdentities: "identify",
  markActive: true,
};

/** An evaluation without flags, as receive reads it. */
export const evaluationOf = (overrides: Partial<Evaluation> = {}): Evaluation => {
  return { kind: "evaluation", identity: "user-1", environment: 23, flags: [], traits: [], segments: [], ...overrides };
};

/** Enabled flags with these values, by name. */
export const flagsOf = (values: Readonly<Record<string, Value>>) =>
  Object.entries(values).map(([name, value]) => ({ name, enabled: true, value }));

type Entry = Omit<Outcome, "fields"> & Record<string, unknown>;

/** Keeps each log entry. The fields are on the same level as event and message. */
export class RecordingLog implements Log {
  readonly entries: Entry[] = [];

  write({ fields, ...outcome }: Outcome): void {
    this.entries.push({ ...fields, ...outcome });
  }

  /** The only entry. */
  get entry(): Entry {
    const [entry, ...others] = this.entries;
    if (entry === undefined || others.length > 0) throw new Error(`${this.entries.length} entries, not one`);
    return entry;
  }
}

type Read = readonly string[] | Error;

/** A parameter with one result per read. All further reads get the last result. */
export class FakeParameter {
  readonly name = "/flagsmith-to-segment/test/parameter";
  readonly remedy = `aws ssm put-parameter --name ${this.name}`;
  refreshes = 0;
  #reads = 0;
  readonly #answers: readonly Read[];

  constructor(...answers: readonly [Read, ...Read[]]) {
    this.#answers = answers;
  }

  async get(): Promise<readonly string[]> {
    const answer = this.#answers[Math.min(this.#reads++, this.#answers.length - 1)] ?? [];
    if (answer instanceof Error) throw answer;
    return answer;
  }

  refresh(): Promise<readonly string[]> {
    this.refreshes++;
    return this.get();
  }
}

/** Stores what is sent, or throws the given error. */
export class FakeQueue {
  readonly sent: OutgoingMessage[] = [];
  readonly visibility: { readonly id: string; readonly seconds: number }[] = [];

  constructor(private readonly failure?: Error) {}

  async send(messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.sent.push(...messages);
  }

  async setVisibility(messages: readonly ReceivedMessage[], seconds: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.visibility.push(...messages.map(({ id }) => ({ id, seconds })));
  }
}

type Reply = (call: IdentifyCall, writeKey: string, events: readonly string[]) => SegmentAnswer | Promise<SegmentAnswer>;

/** Answers each call as the test says. */
export class FakeSegment {
  readonly calls: { readonly call: IdentifyCall; readonly writeKey: string; readonly events: readonly string[] }[] = [];

  constructor(private readonly reply: Reply = () => answered(200)) {}

  async send(call: IdentifyCall, events: readonly string[], writeKey: string): Promise<SegmentAnswer> {
    this.calls.push({ call, writeKey, events });
    return this.reply(call, writeKey, events);
  }
}

/** An answer after 120 ms. If the status is undefined, there was no answer. */
export function answered(status: number | undefined, askedSeconds?: number): SegmentAnswer {
  const reason = status === undefined ? "timeout" : `status ${status}`;
  return { code: codeOfStatus(status), status, reason, askedSeconds, elapsedMs: 120 };
}

/** The table, in memory. `fail` is asked before each operation, and again after a write, because the answer may be lost. */
export class FakeRecords implements DeliveredRecords {
  readonly records = new Map<string, DeliveredRecord>();
  readonly writes: (DeliveredRecord & { readonly expiresAtSeconds: number })[] = [];

  constructor(private readonly fail: (operation: "read" | "write" | "written") => boolean = () => false) {}

  async read(userHash: string): Promise<DeliveredRecord | undefined> {
    if (this.fail("read")) throw tableError();
    return this.records.get(userHash);
  }

  async write(userHash: string, record: DeliveredRecord, expiresAtSeconds: number): Promise<void> {
    if (this.fail("write")) throw tableError();
    const last = this.records.get(userHash);
    if (last !== undefined && last.sequence > record.sequence) throw tableError("ConditionalCheckFailedException");
    this.records.set(userHash, record);
    this.writes.push({ ...record, expiresAtSeconds });
    if (this.fail("written")) throw tableError();
  }
}

export function tableError(code = "timeout"): TableError {
  return new TableError("delivered", new AwsCallError("dynamodb:PutItem", code, code === "timeout"));
}
