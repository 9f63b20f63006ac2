import { LogFormatter, Logger, LogItem } from "@aws-lambda-powertools/logger";
import { AwsCallError, FlagsmithToSegmentError, ParameterError, TableError } from "./errors";
import { hashIdentity } from "./identify-call";
import { isJsonObject } from "./json";
import { type FunctionName, LOG_EVENTS, type LogCode, type LogEvent, type LogField } from "./names";
import type { ResolvedOptions } from "./options";

/** Fields of an entry. Undefined fields are not written. `userId` is the plain identity. */
export type LogFields = { readonly [Field in Exclude<LogField, "event" | "error" | "code">]?: unknown } & {
  readonly code?: LogCode | undefined;
};

/** Result of a webhook or a message, as its log entry reports it. */
export interface Outcome {
  readonly event: LogEvent;
  readonly message: string;
  readonly fields?: LogFields;
  /** The cause. Its code, actor, reason and remedy become fields. */
  readonly error?: unknown;
}

export interface Log {
  write(outcome: Outcome): void;
}

export interface LogOptions extends Pick<ResolvedOptions, "logUserId"> {
  readonly functionName: FunctionName;
  /** Lambda's variable `AWS_LAMBDA_LOG_LEVEL`. Lambda drops entries below this level outside of the process. */
  readonly lambdaLogLevel: string | undefined;
}

/** Lambda's levels that drop INFO entries. Metrics, alarms and queries depend on these entries. */
const HIDING_LEVELS: readonly unknown[] = ["WARN", "ERROR", "FATAL"];

/** Creates the log of a function. Powertools writes each entry as one JSON object to standard output or standard error. */
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
 * Powertools reads environment variables in its constructor and at each write. Some hide entries, and some make it throw. None of them may
 * change the log, so Powertools gets an empty environment.
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

/** The call in a dry run's entry also has the identity, and so has each event in a batch. */
function withHashedNames<Fields extends object>(fields: Fields): Fields {
  const hashed = Object.entries(fields).flatMap(([name, value]) => {
    if (name === "call" && isJsonObject(value)) return [[name, withHashedNames(value)]];
    if (name === "batch" && Array.isArray(value)) return [[name, value.map(withHashedNames)]];
    return (name === "userId" || name === "anonymousId") && typeof value === "string" ? [[name, hashIdentity(value)]] : [];
  });
  return { ...fields, ...Object.fromEntries(hashed) };
}

/** This product's errors hold no secrets. For other errors only name and stack are logged, because the message may quote a body. */
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

/** Joins the messages of the causes: "/…/webhook-secret: parameter-unreadable: ssm:GetParameter failed: timeout". */
function reasonOf(error: FlagsmithToSegmentError): string {
  return error.cause instanceof FlagsmithToSegmentError ? `${error.message}: ${reasonOf(error.cause)}` : error.message;
}

/**
 * Maximum bytes of a text in an entry. With these limits an entry about a success has fewer than 700 bytes. CloudWatch bills by the byte,
 * and Flagsmith's names have up to 2,000 characters of any script.
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

/** Writes level, message, timestamp and service, then the fields of `names.ts`. Powertools' own format is 10 % larger. */
class EntryFormatter extends LogFormatter {
  formatAttributes(...[given, fields]: Parameters<LogFormatter["formatAttributes"]>): LogItem {
    const { logLevel, message, timestamp, serviceName: service } = given;
    // FATAL is Lambda's highest level. No setting drops it.
    const level = logLevel === "CRITICAL" ? "FATAL" : logLevel;
    const entry: Record<string, unknown> = { level, message, timestamp: timestamp.toISOString(), service };
    for (const [name, value] of Object.entries(fields)) entry[name] = clip(value, name);
    return new Entry({ attributes: entry });
  }
}

class Entry extends LogItem {
  /** JSON omits undefined fields. Powertools would also omit empty texts. */
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
  // A character that was cut in the middle becomes U+FFFD.
  return `${cut.replace(/\uFFFD+$/, "")}…`;
}
