import { Token } from "aws-cdk-lib";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { isJsonObject } from "../lambda/json";
import type { OptionName } from "../lambda/options";

/** The options that concern alarms. They are props of `Monitoring`. */
export const ALARM_OPTIONS = ["alarmEmail", "alarmTopicArn", "runbookUrl", "expectTraffic"] as const;

interface OptionRule {
  /** The text of the error message at synth and of the README. */
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}

/** CloudFormation's integers are signed and have 32 bits. */
const MAX_INTEGER = 2 ** 31 - 1;

const SELECTION = "{ include?: [names], exclude?: [names] }, * as wildcard";

/** The retention periods of CloudWatch Logs in days, without CDK's value for logs that never expire. */
const RETENTION_DAYS = Object.values(RetentionDays).filter(
  (days) => typeof days === "number" && days !== RetentionDays.INFINITE,
);

/** The values that each option allows. The README has the same table, with the defaults from `lambda/options.ts`. */
export const OPTION_RULES: Readonly<Record<OptionName, OptionRule>> = {
  segmentRegion: oneOf("us", "eu"),
  segmentEndpoint: rule("an https URL (http for loopback), at most 500 bytes, without query or /v1/identify", isEndpoint),
  traitPrefix: rule("a string of at most 100 characters", matches(/^.{0,100}$/s)),
  traitStyle: oneOf("flagsmith", "typed"),
  flags: rule(SELECTION, isSelection),
  flagsmithTraits: rule("true, false or [names], * as wildcard", (value) => isBoolean(value) || isNames(value)),
  segments: rule("true or false", isBoolean),
  identities: rule(SELECTION, isSelection),
  anonymousIdentities: oneOf("identify", "anonymousId", "drop"),
  markActive: rule("true or false", isBoolean),
  forward: oneOf("every", "changes"),
  experiments: rule("[names], * as wildcard", isNames),
  removeTraits: rule("[names]", isNames),
  refreshHours: rule("a number from 0.01 to 8,760", (value) => isNumber(value, 0.01, 8_760)),
  mergeBacklog: rule("true or false", isBoolean),
  dryRun: rule("true or false", isBoolean),
  paused: rule("true or false", isBoolean),
  logUserId: oneOf("plain", "hashed"),
  logRetentionDays: rule(RETENTION_DAYS.join(", "), (value) => RETENTION_DAYS.some((days) => days === value)),
  throttle: rule("{ rateLimit?, burstLimit? }, whole numbers from 1 to 2,147,483,647", isThrottle),
  maxConcurrency: rule("a whole number from 2 to 1,000", (value) => isWhole(value, 2, 1_000)),
  reservedConcurrency: rule("a whole number from 1", (value) => isWhole(value, 1, MAX_INTEGER)),
  // SNS accepts only these characters, and at most 64 of them before the @.
  alarmEmail: rule(
    "an e-mail address in ASCII, with at most 64 characters before the @",
    matches(/^[!-?A-~]{1,64}@[!-?A-~]{1,255}$/),
  ),
  // The ARN of a subscription has one more part. CloudWatch can't publish to a topic whose name ends in .fifo.
  alarmTopicArn: rule(
    "the ARN of an SNS topic that is not a FIFO topic",
    tokenOr(/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]{1,256}$/),
  ),
  runbookUrl: rule("an https URL of at most 200 bytes", tokenOr(/^https:\/\/[!-~]{1,192}$/)),
  expectTraffic: rule("a whole number of hours from 1 to 24", (value) => isWhole(value, 1, 24)),
  // With an alias's ARN the synth would succeed, but IAM statements with that ARN grant nothing.
  kmsKeyArn: rule("the ARN of a KMS key", tokenOr(/^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]{1,64}$/)),
};

export const OPTION_NAMES = Object.keys(OPTION_RULES) as readonly OptionName[];

/** Options of earlier releases, and what the operator should do instead. */
export const REMOVED_OPTIONS: Readonly<Record<string, string>> = {
  logSampling: "remove it: entries about failures say what happened, and entries about successes have no steps",
  placeholderIdentities:
    'remove it: undefined, null, NaN and [object Object] are skipped, unless identities.include has exactly that name; to send all of them as before, use "identities": { "include": ["*", "undefined", "null", "NaN", "[object Object]"] }',
};

function rule(allowed: string, accepts: OptionRule["accepts"]): OptionRule {
  return { allowed, accepts };
}

function oneOf(...values: readonly string[]): OptionRule {
  return rule(values.map((value) => `"${value}"`).join(" or "), (value) => values.some((one) => one === value));
}

function matches(pattern: RegExp): OptionRule["accepts"] {
  return (value) => typeof value === "string" && pattern.test(value);
}

/** A value that is known only at deploy, such as the ARN of a topic in the same app, is a token at synth. */
function tokenOr(pattern: RegExp): OptionRule["accepts"] {
  return (value) => Token.isUnresolved(value) || matches(pattern)(value);
}

function isBoolean(value: unknown): boolean {
  return typeof value === "boolean";
}

function hasOnly(value: unknown, fields: Readonly<Record<string, (field: unknown) => boolean>>): boolean {
  if (!isJsonObject(value)) return false;
  return Object.entries(value).every(
    ([name, field]) => Object.hasOwn(fields, name) && (field === undefined || fields[name]?.(field)),
  );
}

function isSelection(value: unknown): boolean {
  return hasOnly(value, { include: isNames, exclude: isNames });
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");
}

function isNumber(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && isNumber(value, least, most);
}

function isThrottle(value: unknown): boolean {
  const isLimit = (limit: unknown) => isWhole(limit, 1, MAX_INTEGER);
  return hasOnly(value, { rateLimit: isLimit, burstLimit: isLimit });
}

/** Deliver appends a path. `URL` would accept a trailing blank or `?`, but a path after either of them would not work. */
function isEndpoint(value: unknown): boolean {
  if (typeof value !== "string" || !/^[^\s?#@]+$/.test(value) || !URL.canParse(value) || Buffer.byteLength(value) > 500)
    return false;
  const { protocol, hostname, pathname } = new URL(value);
  const isSafe = protocol === "https:" || (protocol === "http:" && /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname));
  return isSafe && !/\/v1(\/identify)?\/*$/.test(pathname);
}
