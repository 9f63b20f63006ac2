import { createHmac } from "node:crypto";
import { type DeliveredRecord, type Fingerprint, HASH_BYTES } from "../adapters/delivered-table";
import type { IdentifyCall } from "../identify-call";
import { isJsonObject, tryParseJson } from "../json";
import { DAY_SECONDS, type Machine } from "../timing";
import type { ChangesDependencies } from "./invocation";

/** Part of every hash, so another number makes all records another source's. Release 2 wrote 1, and its records may be wrong. */
const FORMAT = 2;
/** Stands for a call without traits, which Segment gets as well. */
const NO_TRAITS = "";

/** Of one call, for one source. `values`: the hash of each trait's value, by the hash of its name. */
type Hashes = { readonly source: string; readonly values: ReadonlyMap<string, string> };

/**
 * Option `forward: "changes"`: one user's record during one batch. Invariant: each fingerprint says what Segment has. So `remove` is
 * written before a call is sent, and `add` after it was accepted; whatever fails or is killed in between, a fingerprint may be
 * missing, which costs a call, but none is wrong. For a single writer of these traits: see *Known limitations* in lambda/README.md.
 */
export class UserRecord {
  #record: DeliveredRecord | undefined;
  /** A write failed, so what the table holds is not known. */
  #mustRead = true;
  /** Comparing, removing and adding are about the same call. */
  #last: { readonly call: IdentifyCall; readonly writeKey: string; readonly hashes: Hashes } | undefined;

  constructor(
    private readonly changes: ChangesDependencies,
    private readonly userHash: string,
    private readonly now: Machine["now"],
  ) {}

  /** Reads the record, unless this batch knows it. @throws TableError */
  async read(): Promise<void> {
    if (!this.#mustRead) return;
    this.#record = await this.changes.records.read(this.userHash);
    this.#mustRead = false;
  }

  /** Whether the user's message with this sequence number needs nothing more. This holds for a record of any source. */
  isSettled(sequence: bigint): boolean {
    return this.#record !== undefined && sequence <= this.#record.sequence;
  }

  /** Whether Segment has each of the call's traits, and none is due for a refresh. An absent trait is no change. */
  isUnchanged(call: IdentifyCall, writeKey: string): boolean {
    const { source, values } = this.#hashesOf(call, writeKey);
    if (this.#record?.source !== source) return false;
    const { fingerprints } = this.#record;
    return [...values].every(([name, value]) => {
      const known = fingerprints.get(name);
      return known?.value === value && !this.#isDue(known);
    });
  }

  /**
   * Removes the fingerprints of the traits that the call has, whatever their values, before it is sent. `firstSequence`: of the
   * unit's first message. @throws TableError: then the call must not be sent.
   */
  async remove(call: IdentifyCall, writeKey: string, firstSequence: bigint): Promise<void> {
    if (this.#record === undefined) return;
    const { source, values } = this.#hashesOf(call, writeKey);
    const known = this.#fingerprintsOf(source);
    const kept = new Map([...known].filter(([name]) => !values.has(name)));
    if (kept.size === this.#record.fingerprints.size) return;
    await this.#write({ source, sequence: firstSequence - 1n, fingerprints: kept });
  }

  /**
   * Adds the fingerprints of a call that Segment accepted with this key. `lastSequence`: of the unit's last message.
   * @throws TableError: then the record is read again before the user's next unit.
   */
  async add(call: IdentifyCall, writeKey: string, lastSequence: bigint): Promise<void> {
    const { source, values } = this.#hashesOf(call, writeKey);
    const acceptedAtSeconds = Math.floor(this.now() / 1_000);
    const accepted = [...values].map(([name, value]): [string, Fingerprint] => [name, { value, acceptedAtSeconds }]);
    // A trait that is due is sent again in any case.
    const kept = [...this.#fingerprintsOf(source)].filter(([name, known]) => !values.has(name) && !this.#isDue(known));
    await this.#write({ source, sequence: lastSequence, fingerprints: new Map([...accepted, ...kept]) });
  }

  async #write(record: DeliveredRecord): Promise<void> {
    // DynamoDB deletes the records of users who do not come back.
    const expiresAtSeconds = this.now() / 1_000 + this.changes.refreshSeconds + DAY_SECONDS;
    this.#mustRead = true;
    await this.changes.records.write(this.userHash, record, expiresAtSeconds);
    this.#record = record;
    this.#mustRead = false;
  }

  /** What the record says of this source. */
  #fingerprintsOf(source: string): DeliveredRecord["fingerprints"] {
    return this.#record?.source === source ? this.#record.fingerprints : new Map();
  }

  /** A time in the future counts like one in the past: another container's clock may have been ahead. */
  #isDue({ acceptedAtSeconds }: Fingerprint): boolean {
    return Math.abs(this.now() / 1_000 - acceptedAtSeconds) >= this.changes.refreshSeconds;
  }

  /** Keyed hashes, so that the table tells no one a user's traits. Another write key, endpoint or kind of id is another source. */
  #hashesOf(call: IdentifyCall, writeKey: string): Hashes {
    if (this.#last?.call === call && this.#last.writeKey === writeKey) return this.#last.hashes;
    const { traits, anonymousId } = Object(tryParseJson(call.body));
    const kind = anonymousId === undefined ? "userId" : "anonymousId";
    const hash = (...parts: readonly string[]) =>
      createHmac("sha256", writeKey)
        .update(JSON.stringify([FORMAT, this.changes.endpoint, kind, ...parts]))
        .digest()
        .toString("latin1", 0, HASH_BYTES);
    const entries: [string, unknown][] = Object.entries(isJsonObject(traits) ? traits : {});
    if (entries.length === 0) entries.push([NO_TRAITS, null]);
    const values = new Map(entries.map(([name, value]) => [hash(name), hash(name, JSON.stringify(value))]));
    const hashes = { source: hash(), values };
    this.#last = { call, writeKey, hashes };
    return hashes;
  }
}
