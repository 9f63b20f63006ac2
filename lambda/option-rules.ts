import { ConfigurationError } from "./domain/errors";
import type { Options } from "./options";

export type FunctionName = "receive" | "deliver";
export type OptionName = keyof Options;

interface OptionRule {
  /** What a fault's message and the README say. */
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
  /** The variable that carries the option to the functions in `readBy`: as it is if `text`, else as JSON. */
  readonly env?: string;
  readonly text?: boolean;
  readonly readBy?: readonly FunctionName[];
}

/** Lambda gives all variables of a function 4 KB together; these leave room for the rest. */
const MAX_FLAGS_JSON = 2_000;
const MAX_TRAITS_JSON = 1_000;

/** A year. */
const MAX_REFRESH_HOURS = 8_760;

/** The days CloudWatch Logs can keep logs for. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

export const OPTIONS: { readonly [Name in OptionName]-?: OptionRule } = {
  segmentRegion: choice("SEGMENT_REGION", ["deliver"], "us", "eu"),
  segmentEndpoint: {
    allowed: "an https URL without query and without /v1/identify (http for loopback only)",
    accepts: isEndpoint,
    env: "SEGMENT_ENDPOINT",
    text: true,
    readBy: ["deliver"],
  },
  traitPrefix: {
    allowed: "a string of at most 100 characters",
    accepts: (value) => typeof value === "string" && value.length <= 100,
    env: "TRAIT_PREFIX",
    text: true,
    readBy: ["receive"],
  },
  traitStyle: choice("TRAIT_STYLE", ["receive"], "flagsmith", "typed"),
  flags: {
    allowed: "{ include?: [names], exclude?: [names] }, * as wildcard, at most 2,000 characters as JSON",
    accepts: (value) =>
      hasOnly(value, { include: isNames, exclude: isNames }) &&
      JSON.stringify(value).length <= MAX_FLAGS_JSON,
    env: "FLAGS",
    readBy: ["receive"],
  },
  flagsmithTraits: {
    allowed: "true, false or [names], * as wildcard, at most 1,000 characters as JSON",
    accepts: (value) =>
      typeof value === "boolean" || (isNames(value) && JSON.stringify(value).length <= MAX_TRAITS_JSON),
    env: "FLAGSMITH_TRAITS",
    readBy: ["receive"],
  },
  segments: flag("SEGMENTS", ["receive"]),
  anonymousIdentities: choice("ANONYMOUS_IDENTITIES", ["receive"], "identify", "anonymousId", "drop"),
  markActive: flag("MARK_ACTIVE", ["receive"]),
  forward: choice("FORWARD", ["deliver"], "every", "changes"),
  refreshHours: {
    allowed: "a number of hours, more than 0 and at most 8,760",
    accepts: (value) => typeof value === "number" && value > 0 && value <= MAX_REFRESH_HOURS,
    env: "REFRESH_HOURS",
    readBy: ["deliver"],
  },
  dryRun: flag("DRY_RUN", ["deliver"]),
  logUserId: choice("LOG_USER_ID", ["receive", "deliver"], "plain", "hashed"),
  logSampling: {
    allowed: "a number from 0 to 1",
    accepts: (value) => typeof value === "number" && value >= 0 && value <= 1,
    env: "LOG_SAMPLING",
    readBy: ["receive", "deliver"],
  },
  logRetentionDays: {
    allowed: RETENTION_DAYS.join(", "),
    accepts: (value) => RETENTION_DAYS.some((days) => days === value),
  },
  throttle: {
    allowed: "{ rateLimit?, burstLimit? }, whole numbers from 1",
    accepts: (value) => hasOnly(value, { rateLimit: isCount, burstLimit: isCount }),
  },
  alarmEmail: {
    allowed: "an e-mail address",
    accepts: (value) => typeof value === "string" && /^[^\s@]+@[^\s@]+$/.test(value),
  },
  alarmTopicArn: {
    allowed: "the ARN of an SNS topic",
    accepts: (value) =>
      typeof value === "string" && /^(arn:[\w-]+:sns:[\w-]+:\d+:.+|\$\{Token\[.+)$/.test(value),
  },
  kmsKeyArn: {
    allowed: "the ARN of a KMS key",
    // A construct may pass the ARN of a key that is deployed with it: CDK hides that behind a token.
    // An alias would synthesize, and then allow nothing.
    accepts: (value) =>
      typeof value === "string" && /^(arn:[\w-]+:kms:[\w-]+:\d+:key\/.+|\$\{Token\[.+)$/.test(value),
    env: "KMS_KEY_ARN",
    text: true,
    readBy: ["receive", "deliver"],
  },
};

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** What is wrong with one option; undefined if nothing is. */
export function faultOf(label: string, name: OptionName, value: unknown): string | undefined {
  if (value === undefined || OPTIONS[name].accepts(value)) return undefined;
  return `${label}: allowed is ${OPTIONS[name].allowed}; got ${shorten(JSON.stringify(value))}`;
}

/**
 * Checks what a user wrote, as construct props or in `cdk.json`.
 *
 * @throws ConfigurationError with every fault, each saying what is allowed.
 */
export function assertOptions(input: unknown, where: string): asserts input is Options {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new ConfigurationError([
      `${where}: allowed is an object of options; got ${shorten(JSON.stringify(input))}`,
    ]);
  }
  const faults = Object.entries(input).map(([name, value]) =>
    isOptionName(name)
      ? faultOf(`${where}.${name}`, name, value)
      : `${where}.${name}: unknown option; allowed are ${Object.keys(OPTIONS).join(", ")}`,
  );
  const found = faults.filter((fault) => fault !== undefined);
  if (found.length > 0) throw new ConfigurationError(found);
}

function choice(env: string, readBy: readonly FunctionName[], ...values: readonly string[]): OptionRule {
  const allowed = values.map((value) => `"${value}"`).join(" or ");
  return { allowed, accepts: (value) => values.some((one) => one === value), env, text: true, readBy };
}

function flag(env: string, readBy: readonly FunctionName[]): OptionRule {
  return { allowed: "true or false", accepts: (value) => typeof value === "boolean", env, readBy };
}

function hasOnly(value: unknown, fields: Readonly<Record<string, (field: unknown) => boolean>>): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, field]) => Object.hasOwn(fields, name) && fields[name]?.(field));
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function isEndpoint(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(value);
  const loopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return (
    (protocol === "https:" || (protocol === "http:" && loopback)) &&
    !/\/v1(\/identify)?\/*$/.test(pathname) &&
    `${search}${hash}${username}${password}` === ""
  );
}

function shorten(text: string | undefined): string {
  const shown = text ?? "nothing";
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
}
