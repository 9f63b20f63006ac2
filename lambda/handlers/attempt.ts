import type { SQSRecord } from "aws-lambda";
import type { Parameters } from "../adapters/parameters";
import type { Segment, SegmentAnswer } from "../adapters/segment";
import type { DeliverConfig } from "../config";
import type { LogEvent } from "../contract";
import { retryDelay } from "../domain/backoff";
import { ParameterError, UnreadableMessageError } from "../domain/errors";
import { type IdentifyCall, parseIdentifyCall, withSentAt } from "../domain/identify";
import { tryParseJson } from "../domain/json";
import { readSecrets } from "../domain/signature";
import type { LogFields, Recorder, Telemetry } from "../telemetry";
import { type DeadLetterDependencies, deadLetter, environmentOf, type Letter } from "./dead-letter";

export interface AttemptDependencies extends DeadLetterDependencies {
  readonly config: Pick<DeliverConfig, "writeKeyParameter" | "dryRun">;
  readonly parameters: Pick<Parameters, "get" | "refresh" | "remedy">;
  readonly segment: Pick<Segment, "identify">;
  readonly telemetry: Telemetry;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** What the attempts of one invocation share. */
export interface Batch {
  readonly requestId: string;
  /** Whether there is time for an attempt at its longest. */
  readonly hasTime: () => boolean;
  /** Set once Segment answered 429: nothing more is sent. Seconds that it asked for, 0 if it did not say. */
  slowDown?: number;
}

/** `settled`: SQS may forget the message, it is at Segment or among the dead letters. If not, it comes back. */
export type Attempt =
  | { readonly settled: true }
  | {
      readonly settled: false;
      /** Seconds. */
      readonly retryIn: number;
      /** Writes the outcome line, with what became of the schedule. */
      readonly report: (fields: LogFields) => void;
    };

const SETTLED: Attempt = { settled: true };

/** One message, once. Never throws: whatever goes wrong, the message stays in the queue. */
export async function attempt(deps: AttemptDependencies, record: SQSRecord, batch: Batch): Promise<Attempt> {
  const receiveCount = Number(record.attributes.ApproximateReceiveCount);
  const recorder = deps.telemetry.recorder({
    requestId: batch.requestId,
    attempt: receiveCount,
    environment: environmentOf(record),
  });
  const delivery = new Delivery(deps, record, batch, recorder, receiveCount);
  try {
    return await delivery.run(parseIdentifyCall(record.body));
  } catch (error) {
    if (error instanceof UnreadableMessageError) {
      return delivery.bury({ messageId: record.messageId, reason: error.code }, error);
    }
    return delivery.retry("message stays in the queue", {}, { error });
  }
}

/** The attempt at one message, and the lines about it. */
class Delivery {
  readonly #startedAt: number;
  #about: LogFields = {};

  constructor(
    private readonly deps: AttemptDependencies,
    private readonly record: SQSRecord,
    private readonly batch: Batch,
    private readonly recorder: Recorder,
    private readonly receiveCount: number,
  ) {
    this.#startedAt = deps.now();
  }

  async run(call: IdentifyCall): Promise<Attempt> {
    const { messageId, identity: userId, traitCount, body } = call;
    this.#about = { messageId, userId, traitCount, bytes: Buffer.byteLength(body) };
    const { slowDown } = this.batch;
    if (slowDown !== undefined) {
      return this.retry("not tried, Segment asked to slow down", { status: 429 }, { retryAfter: slowDown });
    }
    if (!this.batch.hasTime()) {
      return this.retry("not tried, too little time left in this invocation", {}, { retryIn: 0 });
    }
    try {
      return await this.#send(call);
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      const { parameter, remedy } = error;
      return this.retry("write key unavailable", { parameter, remedy }, { error });
    }
  }

  async #send(call: IdentifyCall): Promise<Attempt> {
    const { deps } = this;
    const { writeKeyParameter, dryRun } = deps.config;
    const writeKey = firstLine(await deps.parameters.get(writeKeyParameter));
    if (dryRun) {
      const logged = tryParseJson(withSentAt(call, deps.now()));
      return this.#settle("dry-run", "identify call not sent, option dryRun is on", { call: logged });
    }
    const answer = await deps.segment.identify(call, writeKey);
    if (answer.verdict !== "key-refused") return this.#conclude(call, answer);
    const current = firstLine(await deps.parameters.refresh(writeKeyParameter));
    return this.#conclude(call, await deps.segment.identify(call, current));
  }

  /** Acts on Segment's answer; the table of verdicts is in the adapter. */
  async #conclude(call: IdentifyCall, answer: SegmentAnswer): Promise<Attempt> {
    const { status, reason, retryAfter } = answer;
    if (status === 429) this.batch.slowDown = retryAfter ?? 0;
    switch (answer.verdict) {
      case "delivered": {
        const latencyMs = this.deps.now() - Date.parse(call.timestamp);
        return this.#settle("delivered", "identify call delivered", { status, latencyMs });
      }
      case "retry":
        return this.retry("Segment did not take the call", { status, reason }, { retryAfter });
      case "key-refused": {
        const parameter = this.deps.config.writeKeyParameter;
        const remedy = this.deps.parameters.remedy(parameter);
        const fault = { status, reason, code: "write-key-refused", actor: "operator", parameter, remedy };
        return this.retry("Segment refuses the write key", fault, { retryAfter });
      }
      case "rejected":
        return this.bury({ messageId: call.messageId, reason: "rejected-by-segment", status });
    }
  }

  /** To the dead letters; only if that fails does the message stay. */
  async bury(letter: Letter, cause?: unknown): Promise<Attempt> {
    const { deps, record } = this;
    const failure = await deadLetter(deps, record, letter);
    if (failure === undefined) {
      return this.#settle(
        "dead-lettered",
        "can never succeed, moved to the dead-letter queue",
        letter,
        cause,
      );
    }
    return this.retry("dead-letter queue unreachable, message stays in the queue", letter, {
      error: failure,
    });
  }

  retry(
    message: string,
    fields: LogFields,
    why: { readonly retryAfter?: number | undefined; readonly retryIn?: number; readonly error?: unknown },
  ): Attempt {
    const { random } = this.deps;
    return {
      settled: false,
      retryIn: why.retryIn ?? retryDelay(this.receiveCount, random, why.retryAfter),
      report: (schedule) => this.#write("retrying", message, { ...fields, ...schedule }, why.error),
    };
  }

  #settle(
    event: "delivered" | "dry-run" | "dead-lettered",
    message: string,
    fields: LogFields,
    error?: unknown,
  ): Attempt {
    this.#write(event, message, fields, error);
    return SETTLED;
  }

  #write(event: LogEvent, message: string, fields: LogFields, error?: unknown): void {
    const durationMs = this.deps.now() - this.#startedAt;
    this.recorder.outcome(event, message, { ...this.#about, durationMs, ...fields }, error);
  }
}

/** A write key is one line; what comes behind it, or blanks around it, were pasted along. */
function firstLine(value: string): string {
  return readSecrets(value)[0] ?? "";
}
