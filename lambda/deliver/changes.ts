import { createHmac } from "node:crypto";
import { type DeliveredRecord, type DeliveredRecords, type Fingerprint, HASH_BYTES } from "../adapters/delivered-table";
import type { Variation } from "../experiments";
import type { IdentifyCall } from "../identify-call";
import { isJsonObject, tryParseJson } from "../json";
import { DAY_SECONDS, type Machine } from "../timing";

/** Part of every hash: a new number invalidates all records. Release 2 wrote 1, and its records may be wrong. */
const FORMAT = 2;
/** Name in the record of a call without traits. Segment gets such a call as well. */
const NO_TRAITS = "";

/** The part of a unit that is compared. */
interface Content {
  readonly call: IdentifyCall;
  readonly variations: readonly Variation[];
}

/** Hashes of one unit for one source: pairs of a name's hash and its value's hash. */
interface Hashes {
  readonly source: string;
  readonly traits: ReadonlyMap<string, string>;
  readonly variations: ReadonlyMap<Variation, readonly [name: string, value: string]>;
}

/** What Segment accepted of a unit. */
export interface AcceptedParts {
  /** False = Segment may have dropped the call as a duplicate, and so may have newer traits. */
  readonly traits: boolean;
  readonly variations: readonly Variation[];
}

export interface UserRecordOptions extends Pick<Machine, "now"> {
  readonly records: DeliveredRecords;
  /** The user's message group. */
  readonly userHash: string;
  /** Segment's base URL. A record is valid for one endpoint. */
  readonly endpoint: string;
  /** Age from which an unchanged trait is sent again. */
  readonly refreshSeconds: number;
}

/**
 * Option `forward: "changes"`: one user's record during one batch. Invariant: each fingerprint matches what Segment has. So `remove` is
 * written before a call is sent, and `add` after it was accepted. If anything fails in between, a fingerprint may be missing, which
 * costs one call, but no fingerprint is wrong. The invariant needs a single writer: see *Known limitations* in lambda/README.md.
 */
export class UserRecord {
  #record: DeliveredRecord | undefined;
  /** True before the first read, and after a failed write, because the table's content is then unknown. */
  #mustRead = true;
  /** Hashes of the last unit, because comparing, removing and adding use the same ones. */
  #last: { readonly content: Content; readonly writeKey: string; readonly hashes: Hashes } | undefined;

  constructor(private readonly options: UserRecordOptions) {}

  /** Reads the record, unless it is already known. @throws TableError */
  async read(): Promise<void> {
    if (!this.#mustRead) return;
    this.#record = await this.options.records.read(this.options.userHash);
    this.#mustRead = false;
  }

  /** Whether the user's message with this sequence number is settled. The record's source does not matter. */
  isSettled(sequence: bigint): boolean {
    return this.#record !== undefined && sequence <= this.#record.sequence;
  }

  /** Whether Segment has each of the unit's traits, and no trait is due for a refresh. An absent trait is not a change. */
  hasTraits(unit: Content, writeKey: string): boolean {
    const { source, traits } = this.#hashesOf(unit, writeKey);
    return [...traits].every(([name, value]) => this.#has(source, name, value));
  }

  /** Returns the unit's variations that are new, different or due. Each becomes one event. */
  newVariations(unit: Content, writeKey: string): readonly Variation[] {
    const { source, variations } = this.#hashesOf(unit, writeKey);
    return [...variations].flatMap(([variation, [name, value]]) => (this.#has(source, name, value) ? [] : [variation]));
  }

  /**
   * Removes the fingerprints of the unit's traits and of its new variations, with any value, before the unit is sent.
   * `firstSequence`: of the unit's first message. @throws TableError. Then the unit must not be sent.
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
   * `lastSequence`: of the unit's last message. @throws TableError. Then the record is read again before the user's next unit.
   */
  async add(unit: Content, sent: AcceptedParts, writeKey: string, lastSequence: bigint): Promise<void> {
    const { source, traits, variations } = this.#hashesOf(unit, writeKey);
    const accepted = new Map(sent.traits ? traits : []);
    for (const variation of sent.variations) accepted.set(...(variations.get(variation) ?? ["", ""]));
    if (accepted.size === 0) return;
    const acceptedAtSeconds = Math.floor(this.options.now() / 1_000);
    const fresh = [...accepted].map(([name, value]): [string, Fingerprint] => [name, { value, acceptedAtSeconds }]);
    // Fingerprints that are due are not kept, because their traits are sent again in any case.
    const kept = [...this.#fingerprintsOf(source)].filter(([name, known]) => !accepted.has(name) && !this.#isDue(known));
    await this.#write({ source, sequence: lastSequence, fingerprints: new Map([...fresh, ...kept]) });
  }

  async #write(record: DeliveredRecord): Promise<void> {
    // DynamoDB deletes the records of users without new evaluations.
    const expiresAtSeconds = this.options.now() / 1_000 + this.options.refreshSeconds + DAY_SECONDS;
    this.#mustRead = true;
    await this.options.records.write(this.options.userHash, record, expiresAtSeconds);
    this.#record = record;
    this.#mustRead = false;
  }

  /** Returns the record's fingerprints if they belong to this source. */
  #fingerprintsOf(source: string): DeliveredRecord["fingerprints"] {
    return this.#record?.source === source ? this.#record.fingerprints : new Map();
  }

  #has(source: string, name: string, value: string): boolean {
    const known = this.#fingerprintsOf(source).get(name);
    return known?.value === value && !this.#isDue(known);
  }

  /** A time far in the future is due as well: another container's clock may have been ahead. */
  #isDue({ acceptedAtSeconds }: Fingerprint): boolean {
    return Math.abs(this.options.now() / 1_000 - acceptedAtSeconds) >= this.options.refreshSeconds;
  }

  /** Returns keyed hashes, so that the table does not reveal traits. Another write key, endpoint or kind of id is another source. */
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
      // These hashes have one part more than a trait's, so they never equal one.
      variations: new Map(
        content.variations.map((each) => [each, [hash("", "experiment", each.flag), hash("", each.flag, each.value)] as const]),
      ),
    };
    this.#last = { content, writeKey, hashes };
    return hashes;
  }
}
