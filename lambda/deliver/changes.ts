import type { DeliveredTable } from "../adapters/delivered-table";
import { AwsCallError } from "../errors";
import { hashIdentity, type IdentifyCall } from "../identify-call";
import type { Log } from "../log";
import type { Machine } from "../timing";
import { type Delivered, decodeDelivered, encodeDelivered, fingerprintsOf, isUnchanged, withDelivered } from "./fingerprints";

/** One call against what Segment was last given. */
export interface Comparison {
  readonly unchanged: boolean;
  /**
   * To be called once Segment took the call, with the key that it was sent with. False = it could not be recorded, so the next
   * comparison would be with an old state: the message must come again. True once it is recorded, or recording was given up.
   */
  record(usedKey: string): Promise<boolean>;
}

/** Where the call's messages stand among the person's, by SQS's sequence numbers, which rise within an identity. */
export interface Place {
  readonly first: bigint;
  readonly last: bigint;
  /** A part of the call may have been sent before, alone, and its answer lost; then Segment may have what is not recorded. */
  readonly mayBeAtSegment: boolean;
  /** It was moved, and comes back: if Segment took it before, it drops it now by its id, and what came after it stands. */
  readonly mayBeKnown: boolean;
}

export interface Comparer {
  /** Never throws. */
  compare(call: IdentifyCall, place: Place, writeKey: string): Promise<Comparison>;
  /** Segment may have taken a call that was moved to the dead-letter queue: the person's next one is sent. Never throws. */
  forget(person: string, sequence: bigint, messageId: string): Promise<void>;
}

/** Option `forward: "every"`. */
export const ALWAYS_CHANGED: Comparer = {
  compare: async () => ({ unchanged: false, record: async () => true }),
  forget: async () => {},
};

export interface ChangesOptions extends Pick<Machine, "now"> {
  readonly table: Pick<DeliveredTable, "read" | "write">;
  readonly log: Log;
  /** Of Segment. */
  readonly endpoint: string;
  /** Seconds after which an unchanged trait is sent again. */
  readonly refresh: number;
}

/** Whose faults were told of a call already. */
type Told = { readonly messageId: string; readonly actors: Set<unknown> };

/** Recordings that fail one after the other before a container gives them up, so that nobody's events wait because of the table. */
const FAILURES_OF_A_TABLE_THAT_IS_DOWN = 12;
/** People whose failed recordings a container remembers. Beyond that it trusts nobody's item. */
const MAX_UNRECORDED = 10_000;
/** Seconds. Added to an item's expiry, so that DynamoDB deletes people of whom nothing comes any more. */
const EXPIRY_MARGIN = 24 * 3_600;

/**
 * Option `forward: "changes"`: a call that tells Segment nothing new is not sent. The FIFO group guarantees that nothing else of
 * the identity is in flight between reading and writing. Where SQS delivers a message again all the same, its sequence number
 * tells. What could not be recorded leaves an item that is older than what Segment has: this container does not trust it until it
 * is written again; another may, until the refresh.
 */
export class Changes implements Comparer {
  /** Recordings that failed since the last one that did not. */
  #failures = 0;
  /** What Segment took and the table does not hold, by person: the messages before `from` are settled, `to` is the last taken. */
  readonly #unrecorded = new Map<string, { readonly from: bigint; readonly to: bigint }>();
  /** Seconds since 1970. Until then no item is trusted. */
  #trustFrom = 0;

  constructor(private readonly options: ChangesOptions) {}

  /** What DynamoDB does not tell counts as changed: a call too many is better than a wrong trait. */
  async compare(call: IdentifyCall, place: Place, writeKey: string): Promise<Comparison> {
    const { table, endpoint, refresh } = this.options;
    const now = this.options.now() / 1_000;
    const person = hashIdentity(call.identity);
    const printsFor = (key: string) => fingerprintsOf(call, endpoint, key);
    const prints = printsFor(writeKey);
    const told: Told = { messageId: call.messageId, actors: new Set() };
    const item = await this.#orUnknown(told, () => table.read(person));
    const unrecorded = this.#unrecorded.get(person);
    const isBehind = unrecorded !== undefined && (item === undefined || item.sequence < unrecorded.to);
    const trusted = item !== undefined && !isBehind && now >= this.#trustFrom;
    const known: Delivered = trusted ? decodeDelivered(item.traits) : new Map();
    const isOld = (item !== undefined && place.last <= item.sequence) || (isBehind && place.last < unrecorded.from);
    const record = async (usedKey: string) => {
      const taken = usedKey === writeKey ? prints : printsFor(usedKey);
      const delivered = place.mayBeKnown ? new Map() : withDelivered(known, taken, now, refresh);
      return this.#write(person, delivered, place, told);
    };
    return { unchanged: isOld || (!place.mayBeAtSegment && isUnchanged(known, prints, now, refresh)), record };
  }

  async forget(person: string, sequence: bigint, messageId: string): Promise<void> {
    await this.#write(person, new Map(), { first: sequence, last: sequence }, { messageId, actors: new Set() });
  }

  /** Whether it is written, or given up. Then the call's messages are settled as well. */
  async #write(person: string, delivered: Delivered, { first, last }: Pick<Place, "first" | "last">, told: Told) {
    const now = this.options.now() / 1_000;
    const item = { traits: encodeDelivered(delivered), sequence: last };
    const expiry = now + this.options.refresh + EXPIRY_MARGIN;
    const written = await this.#orUnknown(told, () => this.options.table.write(person, item, expiry).then(() => true));
    if (written) {
      this.#failures = 0;
      this.#unrecorded.delete(person);
      return true;
    }
    this.#failures++;
    const givenUp = this.#failures >= FAILURES_OF_A_TABLE_THAT_IS_DOWN;
    this.#unrecorded.set(person, { from: givenUp ? last + 1n : first, to: last });
    if (this.#unrecorded.size > MAX_UNRECORDED) {
      this.#unrecorded.clear();
      this.#trustFrom = now + this.options.refresh;
    }
    return givenUp;
  }

  /** One line per call, though reading and writing fail alike; a second only where somebody else must act. */
  async #orUnknown<Result>({ messageId, actors }: Told, act: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await act();
    } catch (error) {
      const actor = error instanceof AwsCallError ? error.actor : undefined;
      const message = "the call is sent, changed or not";
      if (!actors.has(actor)) this.options.log.write({ event: "delivered-unknown", message, fields: { messageId }, error });
      actors.add(actor);
      return undefined;
    }
  }
}
