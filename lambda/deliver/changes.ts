import { createHmac } from "node:crypto";
import { type DeliveredRecord, type DeliveredRecords, type Fingerprint, HASH_BYTES } from "../adapters/delivered-table";
import type { Variation } from "../experiments";
import type { IdentifyCall } from "../identify-call";
import { isJsonObject, tryParseJson } from "../json";
import { DAY_SECONDS, type Machine } from "../timing";

/** Part of every hash, so another number makes all records another source's. Release 2 wrote 1, and its records may be wrong. */
const FORMAT = 2;
/** Stands for a call without traits, which Segment gets as well. */
const NO_TRAITS = "";

/** What is compared: a unit. */
interface Content {
  readonly call: IdentifyCall;
  readonly variations: readonly Variation[];
}

/** Of one unit, for one source: pairs of the hash of a name and the hash of its value. */
interface Hashes {
  readonly source: string;
  readonly traits: ReadonlyMap<string, string>;
  readonly variations: ReadonlyMap<Variation, readonly [name: string, value: string]>;
}

/** What Segment accepted of a unit. */
export interface AcceptedParts {
  /** False = Segment may have dropped the call as known, and so have newer traits. */
  readonly traits: boolean;
  readonly variations: readonly Variation[];
}

export interface UserRecordOptions extends Pick<Machine, "now"> {
  readonly records: DeliveredRecords;
  /** The user's message group. */
  readonly userHash: string;
  /** Segment's base URL: a record is about one endpoint. */
  readonly endpoint: string;
  /** Age from which an unchanged trait is sent again. */
  readonly refreshSeconds: number;
}

/**
 * Option `forward: "changes"`: one user's record during one batch. Invariant: each fingerprint says what Segment has. So `remove` is
 * written before a call is sent, and `add` after it was accepted; whatever fails or is killed in between, a fingerprint may be
 * missing, which costs a call, but none is wrong. For a single writer of these traits: see *Known limitations* in lambda/README.md.
 */
export class UserRecord {
  #record: DeliveredRecord | undefined;
  /** A write failed, so what the table holds is not known. */
  #mustRead = true;
  /** Comparing, removing and adding are about the same unit. */
  #last: { readonly content: Content; readonly writeKey: string; readonly hashes: Hashes } | undefined;

  constructor(private readonly options: UserRecordOptions) {}

  /** Reads the record, unless this batch knows it. @throws TableError */
  async read(): Promise<void> {
    if (!this.#mustRead) return;
    this.#record = await this.options.records.read(this.options.userHash);
    this.#mustRead = false;
  }

  /** Whether the user's message with this sequence number needs nothing more. This holds for a record of any source. */
  isSettled(sequence: bigint): boolean {
    return this.#record !== undefined && sequence <= this.#record.sequence;
  }

  /** Whether Segment has each of the unit's traits, and none is due for a refresh. An absent trait is no change. */
  hasTraits(unit: Content, writeKey: string): boolean {
    const { source, traits } = this.#hashesOf(unit, writeKey);
    if (this.#record?.source !== source) return false;
    return [...traits].every(([name, value]) => this.#has(source, name, value));
  }

  /** The unit's variations that are new, different or due: each is an event of its own. */
  newVariations(unit: Content, writeKey: string): readonly Variation[] {
    const { source, variations } = this.#hashesOf(unit, writeKey);
    return [...variations].flatMap(([variation, [name, value]]) => (this.#has(source, name, value) ? [] : [variation]));
  }

  /**
   * Removes the fingerprints of the unit's traits and of its new variations, whatever their values, before it is sent.
   * `firstSequence`: of the unit's first message. @throws TableError: then the unit must not be sent.
   */
  async remove(unit: Content, writeKey: string, firstSequence: bigint): Promise<void> {
    if (this.#record === undefined) return;
    const { source, traits, variations } = this.#hashesOf(unit, writeKey);
    const changed = this.newVariations(unit, writeKey).map((variation) => variations.get(variation)?.[0]);
    const names = new Set([...traits.keys(), ...changed]);
    const kept = new Map([...this.#fingerprintsOf(source)].filter(([name]) => !names.has(name)));
    if (kept.size === this.#record.fingerprints.size) return;
    await this.#write({ source, sequence: firstSequence - 1n, fingerprints: kept });
  }

  /**
   * Adds the fingerprints of what Segment accepted with this key: the events, and the traits unless Segment may have dropped the call.
   * `lastSequence`: of the unit's last message. @throws TableError: then the record is read again before the user's next unit.
   */
  async add(unit: Content, sent: AcceptedParts, writeKey: string, lastSequence: bigint): Promise<void> {
    const { source, traits, variations } = this.#hashesOf(unit, writeKey);
    const accepted = new Map(sent.traits ? traits : []);
    for (const variation of sent.variations) accepted.set(...(variations.get(variation) ?? ["", ""]));
    if (accepted.size === 0) return;
    const acceptedAtSeconds = Math.floor(this.options.now() / 1_000);
    const fresh = [...accepted].map(([name, value]): [string, Fingerprint] => [name, { value, acceptedAtSeconds }]);
    // What is due is sent again in any case.
    const kept = [...this.#fingerprintsOf(source)].filter(([name, known]) => !accepted.has(name) && !this.#isDue(known));
    await this.#write({ source, sequence: lastSequence, fingerprints: new Map([...fresh, ...kept]) });
  }

  async #write(record: DeliveredRecord): Promise<void> {
    // DynamoDB deletes the records of users who do not come back.
    const expiresAtSeconds = this.options.now() / 1_000 + this.options.refreshSeconds + DAY_SECONDS;
    this.#mustRead = true;
    await this.options.records.write(this.options.userHash, record, expiresAtSeconds);
    this.#record = record;
    this.#mustRead = false;
  }

  /** What the record says of this source. */
  #fingerprintsOf(source: string): DeliveredRecord["fingerprints"] {
    return this.#record?.source === source ? this.#record.fingerprints : new Map();
  }

  #has(source: string, name: string, value: string): boolean {
    const known = this.#fingerprintsOf(source).get(name);
    return known?.value === value && !this.#isDue(known);
  }

  /** A time in the future counts like one in the past: another container's clock may have been ahead. */
  #isDue({ acceptedAtSeconds }: Fingerprint): boolean {
    return Math.abs(this.options.now() / 1_000 - acceptedAtSeconds) >= this.options.refreshSeconds;
  }

  /** Keyed hashes, so that the table tells no one a user's traits. Another write key, endpoint or kind of id is another source. */
  #hashesOf(content: Content, writeKey: string): Hashes {
    if (this.#last?.content === content && this.#last.writeKey === writeKey) return this.#last.hashes;
    const { traits, anonymousId } = Object(tryParseJson(content.call.body));
    const kind = anonymousId === undefined ? "userId" : "anonymousId";
    const hash = (...parts: readonly string[]) =>
      createHmac("sha256", writeKey)
        .update(JSON.stringify([FORMAT, this.options.endpoint, kind, ...parts]))
        .digest()
        .toString("latin1", 0, HASH_BYTES);
    const entries: [string, unknown][] = Object.entries(isJsonObject(traits) ? traits : {});
    if (entries.length === 0) entries.push([NO_TRAITS, null]);
    const hashes = {
      source: hash(),
      traits: new Map(entries.map(([name, value]) => [hash(name), hash(name, JSON.stringify(value))])),
      // A third part: no trait's hashes have as many.
      variations: new Map(
        content.variations.map((each) => [each, [hash("", "experiment", each.flag), hash("", each.flag, each.value)] as const]),
      ),
    };
    this.#last = { content, writeKey, hashes };
    return hashes;
  }
}
