import { hashIdentity, type IdentifyCall } from "../identify-call";
import { LIBRARY } from "../library";
import { capacityOf, toCalls } from "../split";
import { type Evaluation, isNameless } from "./evaluation";
import { type MappingOptions, type Trait, toTraits } from "./traits";

/** Segment's limit for the id that it de-duplicates on. */
export const MAX_MESSAGE_ID_LENGTH = 100;

/** Room for the number of a part, dash included: a body of 6 MB makes fewer than 1,000 parts. */
const PART_LENGTH = 5;

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

/** A trait whose value alone exceeds a call, with the value's size in bytes of JSON. */
export interface CutTrait {
  readonly name: string;
  readonly bytes: number;
}

export interface IdentifyCalls {
  /** At least one, in the order in which they are queued; Segment merges their traits. */
  readonly calls: readonly [IdentifyCall, ...IdentifyCall[]];
  readonly renamed: readonly string[];
  readonly overwritten: readonly string[];
  readonly cut: readonly CutTrait[];
}

/** Maps an evaluation to as many calls as its traits need. Segment merges the traits of an identity's calls. */
export function toIdentifyCalls(evaluation: Evaluation, receipt: Receipt, options: IdentifyOptions): IdentifyCalls {
  const { traits, renamed, overwritten } = toTraits(evaluation, options);
  const { identity } = evaluation;
  const { receivedAt } = receipt;
  const id = messageIdBase(receipt);
  const envelope = { json: envelopeOf(identity, receivedAt, options), identity, receivedAt, idLength: id.length + PART_LENGTH };
  const cut: CutTrait[] = [];
  const calls = toCalls(envelope, toJson(traits, capacityOf(envelope), cut), (part) => `${id}-${part}`);
  return { calls, renamed, overwritten, cut };
}

/** Each trait as `"name":value`. A value that no call can hold gives way to its trait's fallback, or the trait is left out. */
function toJson(traits: ReadonlyMap<string, Trait>, capacity: number, cut: CutTrait[]): readonly string[] {
  return [...traits].flatMap(([name, { value, fallback }]) => {
    const json = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
    if (Buffer.byteLength(json) <= capacity) return [json];
    cut.push({ name, bytes: Buffer.byteLength(JSON.stringify(value)) });
    return fallback === undefined ? [] : [`${JSON.stringify(name)}:${fallback}`];
  });
}

/** What all calls of an evaluation share, as the inside of a JSON object. */
function envelopeOf(identity: string, receivedAt: number, options: IdentifyOptions): string {
  const anonymous = options.anonymousIdentities === "anonymousId" && isNameless(identity);
  const timestamp = new Date(receivedAt).toISOString();
  const context = options.markActive ? { library: LIBRARY } : { library: LIBRARY, active: false };
  return JSON.stringify({ [anonymous ? "anonymousId" : "userId"]: identity, context, timestamp }).slice(1, -1);
}

/** Stack name and request id: unique for a reception, so that equal evaluations get different ids and redeliveries the same. */
function messageIdBase(receipt: Receipt): string {
  const full = `${receipt.stackName}-${receipt.requestId}`;
  const room = MAX_MESSAGE_ID_LENGTH - PART_LENGTH;
  if (full.length <= room) return full;
  const hash = hashIdentity(full).slice(0, 32);
  return `${full.slice(0, room - hash.length - 1)}-${hash}`;
}
