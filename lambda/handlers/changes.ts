import type { DeliveredItem, DeliveredTable } from "../adapters/delivered-table";
import { fingerprintsOf, isUnchanged, withDelivered } from "../domain/changes";
import { AwsCallError } from "../domain/errors";
import { hashIdentity, type IdentifyCall } from "../domain/identify";
import type { Telemetry } from "../telemetry";

export interface ChangesOptions {
  readonly table: Pick<DeliveredTable, "read" | "write">;
  readonly telemetry: Pick<Telemetry, "deliveredUnknown">;
  /** Of Segment. */
  readonly endpoint: string;
  /** Seconds after which an unchanged trait is sent again. */
  readonly refresh: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One call against what Segment was last given. */
export interface Comparison {
  readonly unchanged: boolean;
  /**
   * To be called once Segment took the call. False = it could not be recorded, so the next comparison would be with the past:
   * the message is to come again. True once it is recorded, or once that was given up.
   */
  record(): Promise<boolean>;
}

/**
 * Recordings that fail one after the other before a container takes the table for down. From then on people's events are not
 * held back for it; what Segment shows may be older than what is recorded, until the next change or refresh.
 */
const FAILURES_OF_A_TABLE_THAT_IS_DOWN = 12;

/** Kept beside the item, so that DynamoDB forgets people of whom nothing comes any more. */
const EXPIRY_MARGIN = 24 * 3_600;

/**
 * Option `forward: "changes"`: a call that tells Segment nothing new is not sent. The FIFO group guarantees that nothing else of
 * the identity is in flight between reading and writing; where SQS delivers a message again all the same, its sequence number,
 * which rises within an identity, tells.
 */
export class Changes {
  readonly #options: ChangesOptions;
  /** Recordings that failed since the last one that did not. */
  #failures = 0;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Never throws: what DynamoDB does not tell counts as changed. Correct beats cheap. */
  async compare(call: IdentifyCall, sequenceNumber: string, writeKey: string): Promise<Comparison> {
    const { table, telemetry, endpoint, refresh } = this.#options;
    const now = this.#options.now() / 1_000;
    const sequence = BigInt(sequenceNumber);
    const identityHash = hashIdentity(call.identity);
    const prints = fingerprintsOf(call, { endpoint, writeKey });
    const tell = oncePerActor((error) => telemetry.deliveredUnknown(call.messageId, error));
    const last = await orUnknown(tell, () => table.read(identityHash));
    const known: DeliveredItem["delivered"] = last?.delivered ?? new Map();
    const before = last !== undefined && sequence <= last.sequence;
    return {
      unchanged: before || isUnchanged(known, prints, now, refresh),
      record: async () => {
        const item = { delivered: withDelivered(known, prints, now, refresh), sequence };
        const written = await orUnknown(tell, async () => {
          await table.write(identityHash, item, now + refresh + EXPIRY_MARGIN);
          return true;
        });
        this.#failures = written === true ? 0 : this.#failures + 1;
        return written === true || this.#failures >= FAILURES_OF_A_TABLE_THAT_IS_DOWN;
      },
    };
  }
}

async function orUnknown<Result>(
  tell: (error: unknown) => void,
  act: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await act();
  } catch (error) {
    tell(error);
    return undefined;
  }
}

/** One line an attempt, though reading and writing fail alike; a second only for what another has to mend. */
function oncePerActor(tell: (error: unknown) => void): (error: unknown) => void {
  const told = new Set<unknown>();
  return (error) => {
    const actor = error instanceof AwsCallError ? error.actor : undefined;
    if (!told.has(actor)) tell(error);
    told.add(actor);
  };
}
