import { hash } from "node:crypto";
import { LIBRARY } from "../contract";
import { UnreadableMessageError } from "./errors";
import { type Evaluation, isNameless } from "./evaluation";
import { isJsonObject, tryParseJson } from "./json";
import { type CutTrait, splitTraits } from "./split";
import { type MappingOptions, toTraits } from "./traits";

/** Segment takes 32 KB a call. Counted as 32,000 bytes, which holds whether its KB has 1,000 or 1,024. */
export const MAX_CALL_BYTES = 32_000;
/** Segment's limit for the id that it de-duplicates on. */
export const MAX_MESSAGE_ID_LENGTH = 100;

/** Room for the number of a part, dash included: a body of 6 MB makes fewer than 1,000 parts. */
const PART_LENGTH = 5;

/** What deliver puts in front of a queued call. Its length never varies, so that the size can be held at the door. */
const SENT_AT_BYTES = Buffer.byteLength(sentAtPiece(0)) - "{".length;

/** The facts of one reception, from API Gateway. */
export interface Receipt {
  readonly stackName: string;
  readonly requestId: string;
  /** Milliseconds since 1970. Segment's `timestamp`, fixed here once. */
  readonly receivedAt: number;
}

export interface IdentifyOptions extends MappingOptions {
  readonly anonymousIdentities: "identify" | "anonymousId" | "drop";
  /** false = Segment does not count the call as activity of the person. */
  readonly markActive: boolean;
}

/** One call to Segment, complete but for `sentAt`, which is set anew at each attempt. */
export interface IdentifyCall {
  /** JSON text. */
  readonly body: string;
  readonly messageId: string;
  /** Flagsmith's identity, whether it is sent as `userId` or as `anonymousId`. */
  readonly identity: string;
  readonly timestamp: string;
  readonly traitCount: number;
}

export interface IdentifyCalls {
  /** At least one, in the order in which they are to be queued; Segment merges their traits. */
  readonly calls: readonly [IdentifyCall, ...IdentifyCall[]];
  readonly renamed: readonly string[];
  readonly overwritten: readonly string[];
  /** Traits whose value alone exceeds a call, with the value's size in bytes of JSON. */
  readonly cut: readonly CutTrait[];
}

/** Maps an evaluation to as many calls as its traits need. Segment merges the traits of an identity's calls. */
export function toIdentifyCalls(
  evaluation: Evaluation,
  receipt: Receipt,
  options: IdentifyOptions,
): IdentifyCalls {
  const { traits, renamed, overwritten } = toTraits(evaluation, options);
  const envelope = envelopeOf(evaluation.identity, receipt, options);
  const base = messageIdBase(receipt);
  const capacity =
    MAX_CALL_BYTES -
    SENT_AT_BYTES -
    Buffer.byteLength(complete(envelope, base + "-".repeat(PART_LENGTH), ""));
  const { parts, cut } = splitTraits(traits, capacity);
  const [first, ...rest] = parts.map((part, index) => {
    const messageId = `${base}-${index + 1}`;
    return {
      body: complete(envelope, messageId, part.json),
      messageId,
      identity: evaluation.identity,
      timestamp: envelope.timestamp,
      traitCount: part.count,
    };
  });
  if (first === undefined) throw new TypeError("splitTraits gives at least one part");
  return { calls: [first, ...rest], renamed, overwritten, cut };
}

/**
 * SHA-256 of the identity, in hex: the message group, and the user id of a log that must not name people. An identity itself
 * may be 2,000 characters of any script, more than SQS takes.
 */
export function hashIdentity(identity: string): string {
  return hash("sha256", identity, "hex");
}

/**
 * What SQS may refuse in a message: U+FFFE and U+FFFF always, and, by its older documentation and by emulators, all beyond
 * U+FFFF, emoji for one. JSON may spell them out.
 */
const OUTSIDE_SQS = /[\uD800-\uDFFF\uFFFE\uFFFF]/g;
const SPELLED_OUT = /\\u(?:d[89a-f]|fff[ef])/;

/** The call as it waits in the queue: the same JSON, up to three times as long. */
export function toQueueMessage(call: IdentifyCall): string {
  return call.body.replace(OUTSIDE_SQS, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
}

/** The request body of one attempt. */
export function withSentAt(call: IdentifyCall, sentAt: number): string {
  return sentAtPiece(sentAt) + call.body.slice(1);
}

/**
 * Reads a message of the queue back.
 *
 * @throws UnreadableMessageError for a message that receive did not write.
 */
export function parseIdentifyCall(message: string): IdentifyCall {
  const call = tryParseJson(message);
  if (!isJsonObject(call)) throw new UnreadableMessageError("a JSON object");
  const identity = call.userId ?? call.anonymousId;
  const { messageId, timestamp, traits } = call;
  if (typeof identity !== "string") throw new UnreadableMessageError("userId or anonymousId, a string");
  if (typeof messageId !== "string") throw new UnreadableMessageError("messageId, a string");
  if (typeof timestamp !== "string") throw new UnreadableMessageError("timestamp, a string");
  if (!isJsonObject(traits)) throw new UnreadableMessageError("traits, an object");
  // Spelled out it may exceed Segment's limit, which was held for the call as it is.
  const body = SPELLED_OUT.test(message) ? JSON.stringify(call) : message;
  return { body, identity, messageId, timestamp, traitCount: Object.keys(traits).length };
}

interface Envelope {
  readonly timestamp: string;
  readonly head: string;
}

function envelopeOf(identity: string, receipt: Receipt, options: IdentifyOptions): Envelope {
  const anonymous = options.anonymousIdentities === "anonymousId" && isNameless(identity);
  const timestamp = new Date(receipt.receivedAt).toISOString();
  const context = options.markActive ? { library: LIBRARY } : { library: LIBRARY, active: false };
  const head = JSON.stringify({ [anonymous ? "anonymousId" : "userId"]: identity, context, timestamp });
  return { timestamp, head };
}

function complete(envelope: Envelope, messageId: string, traits: string): string {
  return `${envelope.head.slice(0, -1)},"messageId":${JSON.stringify(messageId)},"traits":{${traits}}}`;
}

/** Stack name and request id: unique for a reception, so that equal evaluations get different ids and redeliveries the same. */
function messageIdBase(receipt: Receipt): string {
  const full = `${receipt.stackName}-${receipt.requestId}`;
  const room = MAX_MESSAGE_ID_LENGTH - PART_LENGTH;
  if (full.length <= room) return full;
  const hash = hashIdentity(full).slice(0, 32);
  return `${full.slice(0, room - hash.length - 1)}-${hash}`;
}

function sentAtPiece(sentAt: number): string {
  return `{"sentAt":"${new Date(sentAt).toISOString()}",`;
}
