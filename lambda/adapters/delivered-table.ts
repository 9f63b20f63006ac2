import { AwsCallError, TableError } from "../errors";
import { isJsonObject } from "../json";
import type { AwsCall } from "./aws-call";

/** The value of one trait that Segment has accepted. */
export interface Fingerprint {
  /** Hash of the value. */
  readonly value: string;
  readonly acceptedAtSeconds: number;
}

/** The table's record of one user. `deliver/changes.ts` defines its meaning. */
export interface DeliveredRecord {
  /** Every message of the user up to this SQS sequence number is settled. */
  readonly sequence: bigint;
  /** Hash of the Segment source that the fingerprints are about. */
  readonly source: string;
  /** The key is the hash of the trait's name. */
  readonly fingerprints: ReadonlyMap<string, Fingerprint>;
}

/** A store with one record per user. `userHash`: SHA-256 of the identity, which is also the message group. */
export interface DeliveredRecords {
  /** Reads consistently, so it sees every completed write. undefined = there is no record. @throws TableError */
  read(userHash: string): Promise<DeliveredRecord | undefined>;
  /**
   * Writes the record if there is none, or if the stored `sequence` is at most the new one. The store may delete it after
   * `expiresAtSeconds` since 1970. @throws TableError if the write was refused or its result is unknown.
   */
  write(userHash: string, record: DeliveredRecord, expiresAtSeconds: number): Promise<void>;
}

/** Bytes of a hash. A string holds it as latin1. */
export const HASH_BYTES = 8;
/** An entry has two hashes and a time. The first entry identifies the source, by the same hash twice. */
const ENTRY_BYTES = 2 * HASH_BYTES + 4;
/** 300,000 bytes of the 400 KB that an item may have. 1,000 traits need 20,000 bytes. Further traits count as not delivered. */
const MAX_ENTRIES = 15_000;

/** The DynamoDB table. It has one item per user. */
export class DeliveredTable implements DeliveredRecords {
  constructor(
    private readonly dynamodb: Pick<AwsCall, "send">,
    private readonly name: string,
  ) {}

  async read(userHash: string): Promise<DeliveredRecord | undefined> {
    const key = { TableName: this.name, Key: { identity: { S: userHash } } };
    const answer = await this.#send("GetItem", { ...key, ConsistentRead: true });
    const item = isJsonObject(answer) ? answer.Item : undefined;
    const traits = attribute(item, "traits", "B");
    const sequence = attribute(item, "sequence", "N");
    if (traits === undefined || sequence === undefined) return undefined;
    return { sequence: BigInt(sequence), ...decode(Buffer.from(traits, "base64")) };
  }

  async write(userHash: string, record: DeliveredRecord, expiresAtSeconds: number): Promise<void> {
    const sequence = { N: String(record.sequence) };
    const written = { traits: { B: encode(record).toString("base64") }, expiresAt: { N: String(Math.ceil(expiresAtSeconds)) } };
    await this.#send("PutItem", {
      TableName: this.name,
      Item: { identity: { S: userHash }, sequence, ...written },
      ConditionExpression: "attribute_not_exists(#identity) OR #sequence <= :sequence",
      ExpressionAttributeNames: { "#identity": "identity", "#sequence": "sequence" },
      ExpressionAttributeValues: { ":sequence": sequence },
    });
  }

  async #send(action: "GetItem" | "PutItem", payload: object): Promise<unknown> {
    try {
      return await this.dynamodb.send(action, payload);
    } catch (error) {
      throw error instanceof AwsCallError ? new TableError(this.name, error) : error;
    }
  }
}

function encode({ source, fingerprints }: DeliveredRecord): Buffer {
  const entries = [[source, { value: source, acceptedAtSeconds: 0 }] as const, ...fingerprints].slice(0, MAX_ENTRIES);
  const bytes = Buffer.alloc(entries.length * ENTRY_BYTES);
  for (const [index, [name, { value, acceptedAtSeconds }]] of entries.entries()) {
    bytes.write(name + value, index * ENTRY_BYTES, "latin1");
    bytes.writeUInt32BE(acceptedAtSeconds, index * ENTRY_BYTES + 2 * HASH_BYTES);
  }
  return bytes;
}

/** Decodes a record. If the bytes can't be read, its source is empty. */
function decode(bytes: Buffer): Omit<DeliveredRecord, "sequence"> {
  const entries: [string, Fingerprint][] = [];
  for (let offset = 0; offset + ENTRY_BYTES <= bytes.length; offset += ENTRY_BYTES) {
    const hashes = bytes.toString("latin1", offset, offset + 2 * HASH_BYTES);
    const acceptedAtSeconds = bytes.readUInt32BE(offset + 2 * HASH_BYTES);
    entries.push([hashes.slice(0, HASH_BYTES), { value: hashes.slice(HASH_BYTES), acceptedAtSeconds }]);
  }
  const [first, ...fingerprints] = entries;
  return { source: first?.[0] ?? "", fingerprints: new Map(fingerprints) };
}

function attribute(item: unknown, name: string, type: "B" | "N"): string | undefined {
  const typed = isJsonObject(item) ? item[name] : undefined;
  const value = isJsonObject(typed) ? typed[type] : undefined;
  return typeof value === "string" ? value : undefined;
}
