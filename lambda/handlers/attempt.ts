import type { SQSRecord } from "aws-lambda";
import type { Parameters } from "../adapters/parameters";
import type { Segment, SegmentAnswer } from "../adapters/segment";
import type { DeliverConfig } from "../config";
import { putParameterCommand, WRITE_KEY_PLACEHOLDER } from "../contract";
import { ParameterError, UnreadableMessageError } from "../domain/errors";
import { type IdentifyCall, parseIdentifyCall, withSentAt } from "../domain/identify";
import { tryParseJson } from "../domain/json";
import { readSecrets } from "../domain/signature";
import type { Recorder, Telemetry } from "../telemetry";
import {
  type DeadLetterDependencies,
  deadLetter,
  environmentOf,
  type Letter,
  type Settled,
} from "./dead-letter";

export interface AttemptDependencies extends DeadLetterDependencies {
  readonly config: Pick<DeliverConfig, "writeKeyParameter" | "dryRun">;
  readonly parameters: Pick<Parameters, "get" | "forget">;
  readonly segment: Pick<Segment, "identify">;
  readonly telemetry: Telemetry;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One message, once. Never throws: whatever goes wrong, the message stays in the queue. */
export async function attempt(
  deps: AttemptDependencies,
  record: SQSRecord,
  requestId: string,
): Promise<Settled> {
  const recorder = deps.telemetry.recorder({
    requestId,
    attempt: Number(record.attributes.ApproximateReceiveCount),
    environment: environmentOf(record),
  });
  try {
    const call = parseIdentifyCall(record.body);
    return await deliver(deps, record, call, withCall(recorder, call, deps.now));
  } catch (error) {
    if (error instanceof UnreadableMessageError) {
      const letter: Letter = { messageId: record.messageId, reason: error.code };
      return await deadLetter(deps, record, recorder, letter, error);
    }
    recorder.outcome("retrying", "message stays in the queue", {}, error);
    return false;
  }
}

async function deliver(
  deps: AttemptDependencies,
  record: SQSRecord,
  call: IdentifyCall,
  recorder: Recorder,
): Promise<Settled> {
  const { writeKeyParameter, dryRun } = deps.config;
  try {
    let writeKey = await readWriteKey(deps);
    if (dryRun) {
      const logged = tryParseJson(withSentAt(call, deps.now()));
      recorder.outcome("dry-run", "identify call not sent, option dryRun is on", { call: logged });
      return true;
    }
    let answer = await deps.segment.identify(call, writeKey);
    if (answer.verdict === "key-refused") {
      deps.parameters.forget(writeKeyParameter);
      writeKey = await readWriteKey(deps);
      answer = await deps.segment.identify(call, writeKey);
    }
    return await conclude(deps, record, call, recorder, answer);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    const { parameter, remedy } = error;
    recorder.outcome("retrying", "write key unavailable", { parameter, remedy }, error);
    return false;
  }
}

/** Acts on Segment's answer; the table of verdicts is in the adapter. */
async function conclude(
  deps: AttemptDependencies,
  record: SQSRecord,
  call: IdentifyCall,
  recorder: Recorder,
  answer: SegmentAnswer,
): Promise<Settled> {
  const { status, reason } = answer;
  switch (answer.verdict) {
    case "delivered":
      recorder.outcome("delivered", "identify call delivered", {
        status,
        latencyMs: deps.now() - Date.parse(call.timestamp),
      });
      return true;
    case "retry":
      recorder.outcome("retrying", "Segment did not take the call", { status, reason });
      return false;
    case "key-refused": {
      const parameter = deps.config.writeKeyParameter;
      const remedy = putParameterCommand(parameter, WRITE_KEY_PLACEHOLDER);
      const fault = { status, reason, code: "write-key-refused", actor: "operator", parameter, remedy };
      recorder.outcome("retrying", "Segment refuses the write key", fault);
      return false;
    }
    case "rejected":
      return await deadLetter(deps, record, recorder, {
        messageId: call.messageId,
        reason: "rejected-by-segment",
        status,
      });
  }
}

/** A write key is one line; what comes behind it, or blanks around it, were pasted along. */
async function readWriteKey(deps: AttemptDependencies): Promise<string> {
  const value = await deps.parameters.get(deps.config.writeKeyParameter);
  return readSecrets(value)[0] ?? "";
}

function withCall(recorder: Recorder, call: IdentifyCall, now: () => number): Recorder {
  const startedAt = now();
  const { messageId, identity: userId, traitCount } = call;
  const bytes = Buffer.byteLength(call.body);
  return {
    outcome: (event, message, fields, error) => {
      const durationMs = now() - startedAt;
      recorder.outcome(
        event,
        message,
        { messageId, userId, traitCount, bytes, durationMs, ...fields },
        error,
      );
    },
  };
}
