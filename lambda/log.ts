import { LogFormatter, Logger, LogItem, LogLevelThreshold } from "@aws-lambda-powertools/logger";
import { FlagsmithToSegmentError, ParameterError } from "./errors";
import { hashIdentity } from "./identify-call";
import { isJsonObject } from "./json";
import { type FunctionName, LOG_EVENTS, type LogEvent, type LogField } from "./names";
import type { ResolvedOptions } from "./options";
import type { Machine } from "./timing";

/** Fields of a line; undefined ones are left out. `userId` is given plain. */
export type LogFields = { readonly [Field in Exclude<LogField, "event" | "error">]?: unknown };

/** What became of a webhook or a message, as data: what its line says. */
export interface Outcome {
  readonly event: LogEvent;
  readonly message: string;
  readonly fields?: LogFields;
  /** What failed. Its code, actor, reason and remedy become fields. */
  readonly error?: unknown;
}

export interface Log {
  write(outcome: Outcome): void;
}

export interface LogOptions extends Pick<Machine, "random">, Pick<ResolvedOptions, "logUserId" | "logSampling"> {
  readonly functionName: FunctionName;
}

/** The log of a function. Powertools writes every line, to standard output and standard error. */
export function createLog({ functionName, logUserId, logSampling, random }: LogOptions): Log {
  const logger = createLogger(functionName);
  return {
    write: ({ event, message, fields = {}, error }) => {
      const told = { event, ...fields, ...(error === undefined ? {} : errorFields(error)) };
      const level = told.actor === "operator" ? "error" : LOG_EVENTS[event];
      // Steps are for lines about failures; on others they would be a third of the bytes that CloudWatch bills.
      const line = level === "info" && random() >= logSampling ? { ...told, steps: undefined } : told;
      logger[level](message, logUserId === "plain" ? line : withHashedNames(line));
    },
  };
}

/** Metrics and alarms are made of INFO lines: a level that would hide them counts as INFO. */
function createLogger(serviceName: FunctionName): Logger {
  const options = { serviceName, logFormatter: new LineFormatter() };
  const logger = new Logger(options);
  if (logger.level <= LogLevelThreshold.INFO) return logger;
  const raised = new Logger({ ...options, logLevel: "INFO" });
  const reason = `level ${logger.getLevelName()} would hide lines that metrics and alarms count`;
  raised.warn("log level INFO is used", { event: "level-raised" satisfies LogEvent, reason });
  return raised;
}

/** The call that a dry run logs names the person as well. */
function withHashedNames<Fields extends object>(fields: Fields): Fields {
  const hashed = Object.entries(fields).flatMap(([name, value]) => {
    if (name === "call" && isJsonObject(value)) return [[name, withHashedNames(value)]];
    return (name === "userId" || name === "anonymousId") && typeof value === "string" ? [[name, hashIdentity(value)]] : [];
  });
  return { ...fields, ...Object.fromEntries(hashed) };
}

/** Errors of our own hold nothing secret. Of any other, the name and the stack are told, but not the message: it may quote a body. */
function errorFields(error: unknown): Partial<Record<LogField, unknown>> {
  if (error instanceof FlagsmithToSegmentError) {
    const { parameter, remedy } = error instanceof ParameterError ? error : {};
    return { code: error.code, actor: error.actor, reason: reasonOf(error), parameter, remedy };
  }
  if (!(error instanceof Error)) return { code: "internal", reason: `a thrown ${typeof error}` };
  const { name, message, stack = "" } = error;
  const [, frames = ""] = stack.split(`${message}\n`, 2);
  return { code: "internal", error: { name, stack: frames.trim() } };
}

/** The messages down the chain of causes: "/…/webhook-secret: parameter-unreadable: ssm:GetParameter failed: timeout". */
function reasonOf(error: FlagsmithToSegmentError): string {
  return error.cause instanceof FlagsmithToSegmentError ? `${error.message}: ${reasonOf(error.cause)}` : error.message;
}

/**
 * Bytes of a text in a line, so that a line about a success stays below 700, whatever identities and flags are called.
 * CloudWatch bills by the byte, and Flagsmith's names have up to 2,000 characters of any script.
 */
const MAX_TEXT = 160;
const LIMITS = new Map(
  Object.entries({ userId: 100, renamed: 50, overwritten: 50, cut: 50, reason: 600, remedy: 1_000, stack: 2_000 }),
);

/** A line is level, message, timestamp and service, then the fields of `names.ts`. Powertools' own has a tenth more bytes. */
class LineFormatter extends LogFormatter {
  formatAttributes(...[given, fields]: Parameters<LogFormatter["formatAttributes"]>): LogItem {
    const { logLevel: level, message, timestamp, serviceName: service } = given;
    const line: Record<string, unknown> = { level, message, timestamp: timestamp.toISOString(), service };
    for (const [name, value] of Object.entries(fields)) line[name] = clip(value, name);
    return new Line({ attributes: line });
  }
}

class Line extends LogItem {
  /** JSON leaves out what is undefined. Powertools would leave out empty texts as well. */
  override prepareForPrint(): void {}
}

function clip(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((item) => clip(item, name));
  if (name === "error" && isJsonObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, clip(text, key)]));
  }
  const limit = LIMITS.get(name) ?? MAX_TEXT;
  if (typeof value !== "string" || Buffer.byteLength(value) <= limit) return value;
  const cut = Buffer.from(value).subarray(0, limit).toString();
  // A character that was cut in its middle reads as U+FFFD.
  return `${cut.replace(/\uFFFD+$/, "")}…`;
}
