import type { FunctionName, LogEvent, LogField } from "./contract";
import { FlagsmithToSegmentError, type ParameterError } from "./domain/errors";
import { hashIdentity } from "./domain/identify";
import { isJsonObject } from "./domain/json";
import { createLineLog, type LineLog } from "./log-line";

/** Fields of a line by their contract names; undefined ones are left out. `userId` is given plain. */
export type LogFields = { readonly [Field in Exclude<LogField, "event">]?: unknown };

/** The log of one webhook or one message. Each has its own, so that records that run in parallel share nothing. */
export interface Recorder {
  /** A detail for the field `steps`, which only lines about failures and sampled ones have. Nothing secret, no values. */
  step(text: string): void;
  outcome(event: LogEvent, message: string, fields?: LogFields, error?: unknown): void;
}

/** The only writer of log events. */
export interface Telemetry {
  recorder(fields: LogFields): Recorder;
  /** SSM did not give a parameter anew; the value read before stays in use. */
  staleParameter(error: ParameterError): void;
  /** DynamoDB did not say, or did not keep, what Segment was last given. */
  deliveredUnknown(messageId: string, error: unknown): void;
}

export interface TelemetryOptions {
  readonly functionName: FunctionName;
  readonly logUserId: "plain" | "hashed";
  /** Share of lines about successes that have `steps`, from 0 to 1. */
  readonly sampling: number;
  readonly random: () => number;
  /** @default - standard output and error, at the level that Powertools' variables say */
  readonly log?: LineLog;
}

type Level = keyof LineLog;
type Line = LogFields & { readonly event: LogEvent };

/** A line about a fault that only the operator can mend is an error, whatever its event. */
const LEVELS: Readonly<Record<LogEvent, Level>> = {
  accepted: "info",
  ignored: "info",
  unauthorized: "warn",
  invalid: "warn",
  unavailable: "error",
  delivered: "info",
  unchanged: "info",
  "dry-run": "info",
  retrying: "warn",
  "dead-lettered": "error",
  "parameter-stale": "warn",
  "delivered-unknown": "warn",
};

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const log = options.log ?? createLineLog(options.functionName);
  const write = (message: string, fields: Line) => {
    log[levelOf(fields)](message, options.logUserId === "plain" ? fields : withoutNames(fields));
  };
  return {
    recorder: (bound) => {
      const steps: string[] = [];
      return {
        step: (text) => void steps.push(text),
        outcome: (event, message, fields, error) => {
          const shown = LEVELS[event] !== "info" || options.random() < options.sampling;
          write(message, {
            event,
            ...bound,
            ...fields,
            ...(shown && steps.length > 0 ? { steps } : undefined),
            ...(error === undefined ? undefined : errorFields(error)),
          });
        },
      };
    },
    deliveredUnknown: (messageId, error) =>
      write("the call is sent, changed or not", {
        event: "delivered-unknown",
        messageId,
        ...errorFields(error),
      }),
    staleParameter: (error) => {
      const { parameter, remedy } = error;
      write("parameter not read anew, its last value stays in use", {
        event: "parameter-stale",
        parameter,
        remedy,
        ...errorFields(error),
      });
    },
  };
}

function levelOf({ event, actor }: Line): Level {
  return actor === "operator" ? "error" : LEVELS[event];
}

function withoutNames<Fields extends LogFields>(fields: Fields): Fields {
  // A dry run's call names the person as well.
  return isJsonObject(fields.call) ? { ...hashed(fields), call: hashed(fields.call) } : hashed(fields);
}

function hashed<Fields extends object>(fields: Fields): Fields {
  const names = ["userId", "anonymousId"].flatMap((name) => {
    const identity: unknown = Object(fields)[name];
    return typeof identity === "string" ? [[name, hashIdentity(identity)]] : [];
  });
  return { ...fields, ...Object.fromEntries(names) };
}

/** Errors of our own speak for themselves and hold nothing secret. Any other is a defect, and needs its stack. */
function errorFields(error: unknown): LogFields & { readonly error?: Error } {
  if (error instanceof FlagsmithToSegmentError) {
    return { code: error.code, actor: error.actor, reason: reasonOf(error) };
  }
  return { code: "internal", ...(error instanceof Error ? { error } : { reason: typeof error }) };
}

/** The messages down the chain of causes: "parameter unreadable: ssm:GetParameter failed: timeout". */
function reasonOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${reasonOf(cause)}` : error.message;
}
