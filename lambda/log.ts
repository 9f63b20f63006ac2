import { LogFormatter, Logger, LogItem } from "@aws-lambda-powertools/logger";
import { AwsCallError, FlagsmithToSegmentError, ParameterError, TableError } from "./errors";
import { hashIdentity } from "./identify-call";
import { isJsonObject } from "./json";
import { type FunctionName, LOG_EVENTS, type LogCode, type LogEvent, type LogField } from "./names";
import type { ResolvedOptions } from "./options";

/** Fields of an entry; undefined ones are not written. `userId` is given plain. */
export type LogFields = { readonly [Field in Exclude<LogField, "event" | "error" | "code">]?: unknown } & {
  readonly code?: LogCode | undefined;
};

/** What became of a webhook or a message, as data: what its log entry says. */
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

export interface LogOptions extends Pick<ResolvedOptions, "logUserId"> {
  readonly functionName: FunctionName;
  /** Lambda's variable `AWS_LAMBDA_LOG_LEVEL`: below this level Lambda drops entries, outside of the process. */
  readonly lambdaLogLevel: string | undefined;
}

/** Levels of Lambda that drop entries of level INFO, of which metrics, alarms and queries are made. */
const HIDING_LEVELS: readonly unknown[] = ["WARN", "ERROR", "FATAL"];

/** The log of a function. Powertools writes each entry as one line of JSON, to standard output or standard error. */
export function createLog({ functionName, logUserId, lambdaLogLevel }: LogOptions): Log {
  const logger = withoutEnvironment(
    () => new Logger({ serviceName: functionName, logLevel: "INFO", logFormatter: new EntryFormatter() }),
  );
  const write = ({ event, message, fields = {}, error }: Outcome) => {
    const entry = { event, ...fields, ...(error === undefined ? {} : errorFields(error)) };
    const level = entry.actor === "operator" && LOG_EVENTS[event] !== "critical" ? "error" : LOG_EVENTS[event];
    withoutEnvironment(() => logger[level](message, logUserId === "plain" ? entry : withHashedNames(entry)));
  };
  if (HIDING_LEVELS.includes(lambdaLogLevel)) {
    const reason = `Lambda's log level ${lambdaLogLevel} drops entries that alarms count; set ApplicationLogLevel to INFO, or LogFormat to Text`;
    write({ event: "log-level-hides-entries", message: "log entries are hidden", fields: { actor: "operator", reason } });
  }
  return { write };
}

/**
 * Powertools reads variables while a logger is constructed and while it writes, whatever the options say: some hide entries, some make
 * it throw. None of them may change what is logged, so it sees none.
 */
function withoutEnvironment<Result>(act: () => Result): Result {
  const environment = process.env;
  process.env = {};
  try {
    return act();
  } finally {
    process.env = environment;
  }
}

/** The call that a dry run logs names the user as well. */
function withHashedNames<Fields extends object>(fields: Fields): Fields {
  const hashed = Object.entries(fields).flatMap(([name, value]) => {
    if (name === "call" && isJsonObject(value)) return [[name, withHashedNames(value)]];
    return (name === "userId" || name === "anonymousId") && typeof value === "string" ? [[name, hashIdentity(value)]] : [];
  });
  return { ...fields, ...Object.fromEntries(hashed) };
}

/** Errors of our own hold nothing secret. Of any other, the name and the stack are logged, but not the message: it may quote a body. */
function errorFields(error: unknown): Partial<Record<LogField, unknown>> {
  if (error instanceof FlagsmithToSegmentError) {
    const parameter = error instanceof ParameterError ? error.parameter : undefined;
    const hasRemedy = error instanceof ParameterError || error instanceof AwsCallError || error instanceof TableError;
    const remedy = hasRemedy ? error.remedy : undefined;
    return { code: error.code, actor: error.actor, reason: reasonOf(error), parameter, remedy };
  }
  if (!(error instanceof Error)) return { code: "internal" satisfies LogCode, reason: `a thrown ${typeof error}` };
  const { name, message, stack = "" } = error;
  const [, frames = ""] = stack.split(`${message}\n`, 2);
  return { code: "internal" satisfies LogCode, error: { name, stack: frames.trim() } };
}

/** The messages down the chain of causes: "/…/webhook-secret: parameter-unreadable: ssm:GetParameter failed: timeout". */
function reasonOf(error: FlagsmithToSegmentError): string {
  return error.cause instanceof FlagsmithToSegmentError ? `${error.message}: ${reasonOf(error.cause)}` : error.message;
}

/**
 * Bytes of a text in an entry, so that an entry about a success stays below 700, whatever identities and flags are called.
 * CloudWatch bills by the byte, and Flagsmith's names have up to 2,000 characters of any script.
 */
const MAX_TEXT = 160;
const LIMITS = new Map(
  Object.entries({
    userId: 100,
    renamed: 50,
    overwritten: 50,
    cut: 50,
    reservedColumns: 50,
    sameColumn: 50,
    reason: 600,
    remedy: 1_000,
    stack: 2_000,
  }),
);

/** An entry is level, message, timestamp and service, then the fields of `names.ts`. Powertools' own has a tenth more bytes. */
class EntryFormatter extends LogFormatter {
  formatAttributes(...[given, fields]: Parameters<LogFormatter["formatAttributes"]>): LogItem {
    const { logLevel, message, timestamp, serviceName: service } = given;
    // Lambda's word for its highest level, which no setting drops.
    const level = logLevel === "CRITICAL" ? "FATAL" : logLevel;
    const entry: Record<string, unknown> = { level, message, timestamp: timestamp.toISOString(), service };
    for (const [name, value] of Object.entries(fields)) entry[name] = clip(value, name);
    return new Entry({ attributes: entry });
  }
}

class Entry extends LogItem {
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
