import { LogFormatter, LogItem } from "@aws-lambda-powertools/logger";

/**
 * A line is level, message, timestamp and service, then the fields of `contract.ts`. Powertools' own has the X-Ray id and the
 * sampling rate besides, a tenth of the bytes that CloudWatch bills.
 */
export class LineFormatter extends LogFormatter {
  formatAttributes(...[given, fields]: Parameters<LogFormatter["formatAttributes"]>): LogItem {
    const { logLevel: level, message, timestamp, serviceName: service } = given;
    return new Line({
      attributes: { level, message, timestamp: timestamp.toISOString(), service, ...fields },
    });
  }
}

class Line extends LogItem {
  /** JSON leaves out what is undefined; nothing else is to be left out. */
  override prepareForPrint(): void {}
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Bytes of a text in a line: a line that goes well stays below 700, whatever identities and flags are called. CloudWatch bills
 * by the byte, and names may be 2,000 characters of any script.
 */
const MAX_TEXT = 160;
const MAX_NAMES = 50;
const LIMITS: Readonly<Record<string, number>> = {
  userId: 100,
  renamed: MAX_NAMES,
  overwritten: MAX_NAMES,
  cut: MAX_NAMES,
  remedy: 1_000,
};

/** The fields with their texts cut to what a line may hold. */
export function clipped(fields: Fields): Fields {
  const clippedFields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    clippedFields[name] = clip(value, LIMITS[name] ?? MAX_TEXT);
  }
  return clippedFields;
}

function clip(value: unknown, limit: number): unknown {
  if (Array.isArray(value)) return value.map((item) => clip(item, limit));
  // A UTF-16 unit is at most 3 bytes of UTF-8, so most texts need no counting.
  if (typeof value !== "string" || value.length * 3 <= limit || Buffer.byteLength(value) <= limit)
    return value;
  return `${Buffer.from(value)
    .subarray(0, limit)
    .toString()
    .replace(/\uFFFD+$/, "")}…`;
}
