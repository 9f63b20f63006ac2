import type { SQSRecord } from "aws-lambda";
import type { Parameters } from "../adapters/parameters";
import type { Segment, SegmentAnswer } from "../adapters/segment";
import type { DeliverConfig } from "../config";
import { ParameterError } from "../domain/errors";
import { type IdentifyCall, withSentAt } from "../domain/identify";
import { tryParseJson } from "../domain/json";
import { readSecrets } from "../domain/signature";
import type { Changes, Comparison } from "./changes";
import { type DeadLetterDependencies, deadLetter, type Letter } from "./dead-letter";
import type { Attempt, Outcome, OutcomeDependencies } from "./outcome";

export interface DeliveryDependencies extends DeadLetterDependencies, OutcomeDependencies {
  readonly config: Pick<DeliverConfig, "writeKeyParameter" | "dryRun">;
  readonly parameters: Pick<Parameters, "get" | "refresh" | "remedy">;
  readonly segment: Pick<Segment, "identify">;
  /** undefined = every call is sent. */
  readonly changes: Pick<Changes, "compare"> | undefined;
}

/** What the deliveries of one invocation share. */
export interface Batch {
  readonly requestId: string;
  /** Whether there is time for a delivery at its longest. */
  readonly hasTime: () => boolean;
  /** Set once Segment answered 429: nothing more is sent. Seconds that it asked for, 0 if it did not say. */
  slowDown?: number;
}

/** Seconds. Segment has the call; what waits behind it must not wait for the table. */
const MAX_UNRECORDED_DELAY = 15;

/** One call's way to Segment, once. */
export class Delivery {
  constructor(
    private readonly deps: DeliveryDependencies,
    private readonly record: SQSRecord,
    private readonly batch: Batch,
    private readonly outcome: Outcome,
  ) {}

  async run(call: IdentifyCall): Promise<Attempt> {
    const { slowDown } = this.batch;
    if (slowDown !== undefined) {
      const fields = { status: 429 };
      return this.outcome.retry("not tried, Segment asked to slow down", fields, { retryAfter: slowDown });
    }
    if (!this.batch.hasTime()) {
      return this.outcome.retry("not tried, too little time left in this invocation", {}, { retryIn: 0 });
    }
    try {
      return await this.#send(call);
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      const { parameter, remedy } = error;
      return this.outcome.retry("write key unavailable", { parameter, remedy }, { error });
    }
  }

  async #send(call: IdentifyCall): Promise<Attempt> {
    const { config, parameters, now } = this.deps;
    const writeKey = firstLine(await parameters.get(config.writeKeyParameter));
    const comparison = await this.#compare(call, writeKey);
    if (comparison !== undefined) this.outcome.step(comparison.unchanged ? "unchanged" : "changed");
    if (comparison?.unchanged) {
      return this.outcome.settle("unchanged", "nothing new since the last call that Segment took");
    }
    if (config.dryRun) {
      const logged = tryParseJson(withSentAt(call, now()));
      return this.outcome.settle("dry-run", "identify call not sent, option dryRun is on", { call: logged });
    }
    const answer = await this.#identify(call, writeKey);
    if (answer.verdict !== "key-refused") return this.#conclude(call, answer, comparison);
    const current = firstLine(await parameters.refresh(config.writeKeyParameter));
    this.outcome.step(current === writeKey ? "key read anew: the same" : "key read anew: another");
    const again = await this.#identify(call, current);
    // Fingerprints belong to the key that they were made with.
    const made = again.verdict === "delivered" ? await this.#compare(call, current) : undefined;
    return this.#conclude(call, again, made);
  }

  async #identify(call: IdentifyCall, writeKey: string): Promise<SegmentAnswer> {
    const answer = await this.deps.segment.identify(call, writeKey);
    this.outcome.step(`Segment: ${answer.reason} in ${answer.elapsed} ms`);
    return answer;
  }

  #compare(call: IdentifyCall, writeKey: string): Promise<Comparison> | undefined {
    return this.deps.changes?.compare(call, this.record.attributes.SequenceNumber ?? "0", writeKey);
  }

  /** Acts on Segment's answer; the table of verdicts is in the adapter. */
  async #conclude(
    call: IdentifyCall,
    answer: SegmentAnswer,
    comparison: Comparison | undefined,
  ): Promise<Attempt> {
    const { status, reason, retryAfter, elapsed: segmentMs } = answer;
    if (status === 429) this.batch.slowDown = retryAfter ?? 0;
    switch (answer.verdict) {
      case "delivered": {
        const latencyMs = this.deps.now() - Date.parse(call.timestamp);
        if (comparison !== undefined && !(await comparison.record())) {
          const message = "delivered but not recorded, comes again";
          const again = this.outcome.retry(message, { status, latencyMs, segmentMs });
          return { ...again, retryIn: Math.min(again.retryIn, MAX_UNRECORDED_DELAY), unrecorded: true };
        }
        return this.outcome.settle("delivered", "identify call delivered", { status, latencyMs, segmentMs });
      }
      case "retry":
        return this.outcome.retry(
          "Segment did not take the call",
          { status, reason, segmentMs },
          { retryAfter },
        );
      case "key-refused": {
        const parameter = this.deps.config.writeKeyParameter;
        const remedy = this.deps.parameters.remedy(parameter);
        const fault = { status, reason, code: "write-key-refused", actor: "operator", parameter, remedy };
        return this.outcome.retry("Segment refuses the write key", fault, { retryAfter });
      }
      case "rejected":
        return this.bury({ messageId: call.messageId, reason: "rejected-by-segment", status });
    }
  }

  /** To the dead letters; only if that fails does the message stay. */
  async bury(letter: Letter, cause?: unknown): Promise<Attempt> {
    const failure = await deadLetter(this.deps, this.record, letter);
    if (failure === undefined) {
      const message = "can never succeed, moved to the dead-letter queue";
      return this.outcome.settle("dead-lettered", message, letter, cause);
    }
    const message = "dead-letter queue unreachable, message stays in the queue";
    return this.outcome.retry(message, letter, { error: failure });
  }
}

/** A write key is one line; what comes behind it, or blanks around it, were pasted along. */
function firstLine(value: string): string {
  return readSecrets(value)[0] ?? "";
}
