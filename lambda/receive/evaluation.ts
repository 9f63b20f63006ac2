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

/** What Flagsmith decided for one identity in one "get flags" call. */
export interface Evaluation {
  readonly kind: "evaluation";
  readonly identity: string;
  /** Flagsmith's number of the environment, if a flag has one. */
  readonly environment: number | undefined;
  readonly flags: readonly Flag[];
  /** Transient traits are not included, because Flagsmith does not store them. */
  readonly traits: readonly { readonly key: string; readonly value: Value }[];
  /** Names of the segments the identity is a member of. */
  readonly segments: readonly string[];
}

/** Another Flagsmith webhook with the same URL. Its signature is valid, but it is not an evaluation. */
export interface OtherEvent {
  readonly kind: "other";
  readonly eventType: string;
}

/** Bytes of JSON. Flagsmith allows 2,000 characters, and an escape has 6 bytes. An identity and a flag's name still fit into one call. */
const MAX_NAME_BYTES = 12_000;

/** Reads a webhook body. @throws InvalidEvaluationError with the first wrong field and the expected type, but not its value. */
export function parseEvaluation(bytes: Buffer): Evaluation | OtherEvent {
  const body = expect(parsePythonJson(bytes), "body", "an object", isJsonObject);
  const otherEvent = otherEventOf(body);
  if (otherEvent !== undefined) return otherEvent;
  const identity = name(body.identity, "identity");
  const flags = expect(body.flags, "flags", "an array", isList);
  return {
    kind: "evaluation",
    identity,
    environment: flags.map((entry) => Object(entry).environment).find((number) => Number.isSafeInteger(number)),
    flags: flags.map(flag),
    traits: listed(body.traits).flatMap(trait),
    segments: listed(body.segments).flatMap(segment),
  };
}

/** Fields of the audit log. Its webhook also exists in a flat form without `event_type`. */
const AUDIT_LOG = ["author", "created_date", "environment", "log", "project", "related_object_id", "related_object_type"];

/** Any other body without an identity is invalid: if Flagsmith renames a field, the operator must see it. */
function otherEventOf(body: JsonObject): OtherEvent | undefined {
  if (body.identity !== undefined) return undefined;
  const { event_type: eventType, flags } = body;
  if (flags === undefined && typeof eventType === "string") return { kind: "other", eventType };
  const isAuditLog = AUDIT_LOG.filter((field) => Object.hasOwn(body, field)).length >= 4;
  return isAuditLog ? { kind: "other", eventType: "AUDIT_LOG_CREATED" } : undefined;
}

/** Flagsmith generates identities for users without one: 64 hex digits (a hash of the traits) or, in older versions, 32 random ones. */
export function isAnonymous(identity: string): boolean {
  return /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(identity);
}

function flag(input: unknown, index: number): Flag {
  const path = `flags[${index}]`;
  const entry = expect(input, path, "an object", isJsonObject);
  const feature = expect(entry.feature, `${path}.feature`, "an object", isJsonObject);
  const value = `${path}.feature_state_value`;
  return {
    name: name(feature.name, `${path}.feature.name`),
    enabled: expect(entry.enabled, `${path}.enabled`, "a boolean", (enabled) => typeof enabled === "boolean"),
    value: finite(expect(entry.feature_state_value, value, "a string, number, boolean or null", isValue)),
  };
}

/** Only flags are required. An own trait or a segment that can't be used is ignored, because Flagsmith may change their fields. */
function trait(input: unknown): Evaluation["traits"] {
  if (!isJsonObject(input) || input.transient === true) return [];
  const { trait_key: key, trait_value: value } = input;
  return isText(key) && isValue(value) ? [{ key, value: finite(value) }] : [];
}

function segment(input: unknown): readonly string[] {
  if (!isJsonObject(input) || input.member !== true) return [];
  return isText(input.name) ? [input.name] : [];
}

function name(input: unknown, path: string): string {
  const text = expect(input, path, "a non-empty string", isText);
  if (text.length <= 2_000 || Buffer.byteLength(JSON.stringify(text)) <= MAX_NAME_BYTES) return text;
  throw new InvalidEvaluationError(path, `at most ${MAX_NAME_BYTES} bytes`);
}

function isText(input: unknown): input is string {
  return typeof input === "string" && input !== "";
}

function isList(input: unknown): input is readonly unknown[] {
  return Array.isArray(input);
}

function listed(input: unknown): readonly unknown[] {
  return isList(input) ? input : [];
}

function isValue(input: unknown): input is Value {
  return input === null || ["string", "number", "boolean"].includes(typeof input);
}

/** A number too large for a double (1e400) counts as null, as Python's Infinity does. */
function finite(input: Value): Value {
  return typeof input === "number" && !Number.isFinite(input) ? null : input;
}

function expect<Kind>(input: unknown, path: string, expected: string, is: (input: unknown) => input is Kind): Kind {
  if (is(input)) return input;
  throw new InvalidEvaluationError(path, `${expected}, got ${kindOf(input)}`);
}

function kindOf(input: unknown): string {
  if (input === undefined) return "nothing";
  if (input === null) return "null";
  if (input === "") return "an empty string";
  return Array.isArray(input) ? "an array" : `a value of type ${typeof input}`;
}
