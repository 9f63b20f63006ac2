import { hash } from "node:crypto";
import { UnreadableMessageError } from "./errors";
import { isJsonObject, tryParseJson } from "./json";

/** Kind and version in the attributes of the queue's messages. Receive writes them, and deliver reads them. */
export const MESSAGE_KIND = "identify";
export const MESSAGE_VERSION = 1;

/** Segment accepts 32 KB per call. 32,000 bytes are safe if a KB has 1,000 bytes and if it has 1,024. */
export const MAX_CALL_BYTES = 32_000;

/** One call to Segment without `sentAt`, which each attempt sets. */
export interface IdentifyCall {
  /** JSON text. */
  readonly body: string;
  readonly messageId: string;
  /** Flagsmith's identity, whether it is sent as `userId` or as `anonymousId`. */
  readonly identity: string;
  /** When the evaluation was received, in milliseconds since 1970. Segment's `timestamp`. */
  readonly receivedAtMs: number;
  readonly traitCount: number;
}

/** Returns SHA-256 in hex. It is the message group, because an identity may exceed SQS's limit, and the `userId` in hashed logs. */
export function hashIdentity(identity: string): string {
  return hash("sha256", identity, "hex");
}

/** SQS refuses these two characters, so the JSON contains them as escapes. */
const REFUSED_BY_SQS = /[\uFFFE\uFFFF]/g;
/** Release 2 also wrote all characters beyond U+FFFF as escapes. */
const ESCAPED = /\\u(?:d[89a-f]|fff[ef])/;

/** Returns the same JSON in the form that SQS accepts. It may be up to twice as long. */
export function toQueueText(json: string): string {
  return json.replace(REFUSED_BY_SQS, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
}

/** Reads a message's body. @throws UnreadableMessageError if receive did not write it. */
export function parseIdentifyCall(message: string): IdentifyCall {
  const call = tryParseJson(message);
  if (!isJsonObject(call)) throw new UnreadableMessageError("a JSON object");
  const identity = call.userId ?? call.anonymousId;
  const { messageId, timestamp, traits } = call;
  if (typeof identity !== "string") throw new UnreadableMessageError("userId or anonymousId, a string");
  if (typeof messageId !== "string") throw new UnreadableMessageError("messageId, a string");
  const receivedAtMs = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
  if (Number.isNaN(receivedAtMs)) throw new UnreadableMessageError("timestamp, a date");
  if (!isJsonObject(traits)) throw new UnreadableMessageError("traits, an object");
  // Receive applied Segment's limit to the call without escapes, so the escaped text may exceed it.
  const body = ESCAPED.test(message) ? JSON.stringify(call) : message;
  return { body, identity, messageId, receivedAtMs, traitCount: Object.keys(traits).length };
}

/**
 * Returns the request body of an attempt at `nowMs`, in milliseconds since 1970. `sentAt` is never before `timestamp`. Segment stores
 * receivedAt - (sentAt - timestamp), so a container's clock behind API Gateway's would put the event into the future.
 */
export function withSentAt(call: IdentifyCall, nowMs: number): string {
  return `{${sentAtOf(call, nowMs)},${call.body.slice(1)}`;
}

/** Returns the field `sentAt` of that attempt as JSON. */
export function sentAtOf({ receivedAtMs }: Pick<IdentifyCall, "receivedAtMs">, nowMs: number): string {
  return `"sentAt":"${new Date(Math.max(nowMs, receivedAtMs)).toISOString()}"`;
}

/** Bytes that `withSentAt` adds. The number is constant, so receive can reserve them. */
export const SENT_AT_BYTES = `${sentAtOf({ receivedAtMs: 0 }, 0)},`.length;
