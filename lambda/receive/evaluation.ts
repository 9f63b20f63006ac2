import { InvalidEvaluationError } from "../errors";
import { isJsonObject, type JsonObject } from "../json";
import { parsePythonJson } from "./python-json";

/** A flag's or a trait's value as Flagsmith sends it. */
export type Value = string | number | boolean | null;

export interface Flag {
  readonly name: string;
  readonly enabled: boolean;
  readonly value: Value;
}

/** A trait that Flagsmith stores for the identity. */
export interface IdentityTrait {
  readonly key: string;
  readonly value: Value;
}

/** What Flagsmith decided for one identity in one "get flags" call. */
export interface Evaluation {
  readonly kind: "evaluation";
  readonly identity: string;
  /** Flagsmith's environment number, where a flag carries one. */
  readonly environment: number | undefined;
  readonly flags: readonly Flag[];
  /** Without transient ones: Flagsmith does not store those. Empty unless asked for. */
  readonly traits: readonly IdentityTrait[];
  /** Names of the segments the identity is a member of. Empty unless asked for. */
  readonly segments: readonly string[];
}

/** Another of Flagsmith's webhooks, signed like an evaluation, pasted at the same URL. */
export interface OtherEvent {
  readonly kind: "other";
  readonly eventType: string;
}

/** Which optional parts are read. What is not used is not read, so it can't make an evaluation invalid. */
export interface OptionalParts {
  readonly traits: boolean;
  readonly segments: boolean;
}

/**
 * The longest identity or flag name, in bytes of JSON. Flagsmith allows 2,000 characters, at most 12,000 bytes escaped; one
 * of each still fits in a call to Segment beside the envelope.
 */
const MAX_NAME_BYTES = 12_000;

/**
 * Reads a webhook body.
 *
 * @throws InvalidEvaluationError naming the path of the first wrong field and what was expected, never its value.
 */
export function parseEvaluation(bytes: Buffer, read: OptionalParts): Evaluation | OtherEvent {
  const body = object(parsePythonJson(bytes), "body");
  const otherEvent = otherEventOf(body);
  if (otherEvent !== undefined) return otherEvent;
  const identity = name(body.identity, "identity");
  const flags = array(body.flags, "flags");
  return {
    kind: "evaluation",
    identity,
    environment: environmentOf(flags),
    flags: flags.map(flag),
    traits: read.traits ? listed(body.traits).flatMap(trait) : [],
    segments: read.segments ? listed(body.segments).flatMap(segment) : [],
  };
}

/** The audit log's webhook has a flat form as well, whose fields are those of the log. */
const AUDIT_LOG_FIELDS = [
  "author",
  "created_date",
  "environment",
  "log",
  "project",
  "related_object_id",
  "related_object_type",
];

/** Anything else without identity and flags stays invalid: a field that Flagsmith renames must be seen. */
function otherEventOf(body: JsonObject): OtherEvent | undefined {
  if (body.identity !== undefined) return undefined;
  const { event_type: eventType, flags } = body;
  if (flags === undefined && typeof eventType === "string") return { kind: "other", eventType };
  const isAuditLog = AUDIT_LOG_FIELDS.filter((name) => Object.hasOwn(body, name)).length >= 4;
  return isAuditLog ? { kind: "other", eventType: "AUDIT_LOG_CREATED" } : undefined;
}

/** Flagsmith names the nameless: 64 hex digits are a hash of their traits, 32 are fresh at every call. */
export function isNameless(identity: string): boolean {
  return /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(identity);
}

function flag(input: unknown, index: number): Flag {
  const path = `flags[${index}]`;
  const entry = object(input, path);
  const feature = object(entry.feature, `${path}.feature`);
  return {
    name: name(feature.name, `${path}.feature.name`),
    enabled: boolean(entry.enabled, `${path}.enabled`),
    value: value(entry.feature_state_value, `${path}.feature_state_value`),
  };
}

/** Flagsmith may leave out or add to all but flags: an own trait or a segment that can't be used is none. */
function trait(input: unknown): readonly IdentityTrait[] {
  if (!isJsonObject(input) || input.transient === true) return [];
  const { trait_key: key, trait_value: own } = input;
  if (typeof key !== "string" || key === "" || !isValue(own)) return [];
  return [{ key, value: finite(own) }];
}

function segment(input: unknown): readonly string[] {
  if (!isJsonObject(input) || input.member !== true) return [];
  return typeof input.name === "string" && input.name !== "" ? [input.name] : [];
}

function listed(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [];
}

function environmentOf(flags: readonly unknown[]): number | undefined {
  for (const entry of flags) {
    const number = isJsonObject(entry) ? entry.environment : undefined;
    if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  }
  return undefined;
}

function object(input: unknown, path: string): JsonObject {
  if (!isJsonObject(input)) throw wrong(path, "an object", input);
  return input;
}

function array(input: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(input)) throw wrong(path, "an array", input);
  return input;
}

function boolean(input: unknown, path: string): boolean {
  if (typeof input !== "boolean") throw wrong(path, "a boolean", input);
  return input;
}

function name(input: unknown, path: string): string {
  if (typeof input !== "string" || input === "") throw wrong(path, "a non-empty string", input);
  if (input.length > 2000 && Buffer.byteLength(JSON.stringify(input)) > MAX_NAME_BYTES) {
    throw new InvalidEvaluationError(path, `at most ${MAX_NAME_BYTES} bytes`);
  }
  return input;
}

function value(input: unknown, path: string): Value {
  if (!isValue(input)) throw wrong(path, "a string, number, boolean or null", input);
  return finite(input);
}

function isValue(input: unknown): input is Value {
  return input === null || ["string", "number", "boolean"].includes(typeof input);
}

/** A number too large for a double (1e400) counts as null, as Python's Infinity does. */
function finite(input: Value): Value {
  return typeof input === "number" && !Number.isFinite(input) ? null : input;
}

function wrong(path: string, expected: string, input: unknown): InvalidEvaluationError {
  return new InvalidEvaluationError(path, `${expected}, got ${kindOf(input)}`);
}

function kindOf(input: unknown): string {
  if (input === undefined) return "nothing";
  if (input === null) return "null";
  if (input === "") return "an empty string";
  return Array.isArray(input) ? "an array" : `a value of type ${typeof input}`;
}
