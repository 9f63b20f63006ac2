import type { OutgoingMessage, ReceivedMessage } from "../../lambda/adapters/queue";
import { UserRecord } from "../../lambda/deliver/changes";
import { type DeliverHandler, deliverHandler } from "../../lambda/deliver/deliver";
import type { ChangesDependencies } from "../../lambda/deliver/invocation";
import { hashIdentity, type IdentifyCall, parseIdentifyCall } from "../../lambda/identify-call";
import { DAY_SECONDS, RETRY_SECONDS, TIMING } from "../../lambda/timing";
import { deleteDelivered, invokeDeliver } from "../cloud/event-source";
import { ATTRIBUTES, callBody, NOON } from "../cloud/events";
import { FifoQueue } from "../cloud/fifo-queue";
import { deliverDependencies, withVariation } from "../support/deliver";
import { answered, FakeRecords, FakeSegment, RecordingLog } from "../support/fakes";
import { seeded } from "../support/random";

export type Traits = Readonly<Record<string, number>>;

export interface ModelOptions {
  readonly seed: number;
  readonly forward: "every" | "changes";
  readonly merges: boolean;
  readonly containers: number;
  /** Chances from 0 to 1. A chance that is not given is 0. */
  readonly chances: {
    /** Chances that Segment refuses a call, and that it accepts the call but the answer is lost. */
    readonly refused?: number;
    readonly lost?: number;
    /** Chance that an operation of the table fails, or that it succeeds but the answer is lost. */
    readonly tableFails?: number;
    /** Chance that an invocation is killed at one of its operations. */
    readonly killed?: number;
    /** Chance that SQS delivers a message again that was not reported as failed. */
    readonly undeleted?: number;
  };
}

/** There are few names and values, so that the same sets occur again. */
export const NAMES = ["x", "y", "z"];
export const VALUES = [0, 1];

type Trait = { readonly name: string; readonly value: number };

const DAY_MS = 1_000 * DAY_SECONDS;

class Killed extends Error {}

/** Moves users' evaluations from the queue to Segment, with all failures that may happen in between. The same seed gives the same run. */
export class DeliveryModel {
  /** All models hash with the same key. */
  static #hashes: ReadonlyMap<string, Trait> | undefined;
  readonly clock = { now: NOON };
  readonly log = new RecordingLog();
  /** What Segment has, by user. */
  readonly profiles: Record<string, Record<string, number>> = {};
  /** Events that Segment accepted, in order: the first one of each id. */
  readonly events: { readonly id: string; readonly user: string; readonly variation: string }[] = [];
  /** Users whose calls Segment refuses for now. */
  readonly refused = new Set<string>();
  readonly deadLetters: FifoQueue;
  readonly queue: FifoQueue;
  readonly segment: FakeSegment;
  /** False = nothing fails from now on. */
  failing = true;
  /** Time at which Segment accepted each id. For a day, Segment drops calls with an id that it knows. */
  readonly #known = new Map<string, number>();
  readonly #random: () => number;
  readonly #containers: DeliverHandler[];
  readonly #records: FakeRecords;
  readonly #changes: ChangesDependencies;
  /** Operations that the invocation can still do before it is killed. */
  #operationsLeft = Number.POSITIVE_INFINITY;
  #numbers = 0;

  constructor(private readonly options: ModelOptions) {
    this.#random = seeded(options.seed);
    const about = { clock: this.clock, visibility: TIMING.visibilityMs, retention: 14 * DAY_MS };
    this.deadLetters = new FifoQueue(about);
    this.queue = new FifoQueue(about);
    this.segment = new FakeSegment((call, _, events) => this.#accept(call, events));
    this.#records = new FakeRecords((operation) => {
      if (operation !== "written") this.#operate();
      return this.#happens(options.chances.tableFails);
    });
    this.#changes = { records: this.#records, endpoint: "https://s", refreshSeconds: DAY_SECONDS };
    this.#containers = Array.from({ length: options.containers }, () => this.#container());
  }

  /** Sends an evaluation. `variation` is that of the experiment `checkout`; undefined = the flag is disabled. */
  send(user: string, traits: Traits, variation?: string): void {
    const number = this.#numbers++;
    const timestamp = new Date(this.clock.now).toISOString();
    const body = JSON.stringify({ ...JSON.parse(callBody({ identity: user, traits, messageId: `e${number}-1` })), timestamp });
    const attributes = variation === undefined ? ATTRIBUTES : withVariation(variation);
    this.queue.send({ body, groupId: hashIdentity(user), deduplicationId: `e${number}`, attributes });
  }

  /** Runs one invocation. Returns false if no message is visible. */
  async invoke(): Promise<boolean> {
    const messages = this.queue.receive(this.#happens(0.5) ? 10 : 1 + Math.floor(10 * this.#random()));
    if (messages.length === 0) return false;
    const killed = this.#happens(this.options.chances.killed);
    this.#operationsLeft = killed ? Math.floor(2 * messages.length * this.#random()) : Number.POSITIVE_INFINITY;
    const index = Math.floor(this.#random() * this.#containers.length);
    const deliver = this.#containers[index];
    if (deliver === undefined) throw new Error("no container");
    const context = { requestId: `request-${this.#numbers++}`, timeLeftMs: () => TIMING.deliverFunctionMs };
    const failed = await invokeDeliver(deliver, messages, context);
    this.#operationsLeft = Number.POSITIVE_INFINITY;
    const deleted = messages.filter(() => !this.#happens(this.options.chances.undeleted));
    if (killed) this.#containers[index] = this.#container();
    else deleteDelivered(this.queue, deleted, failed);
    return true;
  }

  /** Delivers messages until `untilMs`. Without it, delivers until the queue is empty. */
  async drain(untilMs = Number.POSITIVE_INFINITY, afterEach: () => Promise<void> = async () => {}): Promise<void> {
    for (;;) {
      if (await this.invoke()) {
        await afterEach();
        continue;
      }
      const next = this.queue.nextVisibleAt ?? Number.POSITIVE_INFINITY;
      if (next > untilMs || next === Number.POSITIVE_INFINITY) break;
      this.clock.now = Math.max(this.clock.now, next);
    }
    if (untilMs !== Number.POSITIVE_INFINITY) this.clock.now = Math.max(this.clock.now, untilMs);
  }

  /** Returns the fingerprints in the table that differ from what Segment has. */
  async wrongFingerprints(): Promise<readonly string[]> {
    DeliveryModel.#hashes ??= await hashesOf(this.#changes);
    const known = DeliveryModel.#hashes;
    return Object.entries(this.profiles).flatMap(([user, profile]) => {
      const { fingerprints = new Map() } = this.#records.records.get(hashIdentity(user)) ?? {};
      return [...fingerprints].flatMap(([name, { value }]) => {
        const trait = known.get(name + value);
        if (trait === undefined || profile[trait.name] === trait.value) return [];
        return [`${user}.${trait.name} = ${trait.value}, Segment has ${profile[trait.name]}`];
      });
    });
  }

  #accept({ messageId, body }: IdentifyCall, events: readonly string[]) {
    const { userId, traits }: { readonly userId: string; readonly traits: Traits } = JSON.parse(body);
    this.#operate();
    if ((this.failing && this.refused.has(userId)) || this.#happens(this.options.chances.refused)) return answered(503);
    const acceptedAt = this.#known.get(messageId);
    if (acceptedAt === undefined || this.clock.now - acceptedAt > DAY_MS) {
      this.profiles[userId] = { ...this.profiles[userId], ...traits };
      this.#known.set(messageId, this.clock.now);
    }
    for (const event of events) this.#acceptEvent(JSON.parse(event));
    return answered(this.#happens(this.options.chances.lost) ? undefined : 200);
  }

  #acceptEvent({ messageId: id, userId: user, properties }: { messageId: string; userId: string; properties: object }): void {
    const variation = String(Object(properties).variation_id);
    const known = this.events.find((event) => event.id === id);
    if (known === undefined) this.events.push({ id, user, variation });
    else if (known.variation !== variation) throw new Error(`event ${id} has two variations`);
  }

  #container(): DeliverHandler {
    const deps = deliverDependencies({
      now: () => this.clock.now,
      random: this.#random,
      // With this age a redrive is more than a minute later than the evaluation, and still happens often.
      retrySeconds: { ...RETRY_SECONDS, isolatedFailureAge: 120 },
      mergeBacklog: this.options.merges,
      segment: this.segment,
      changes: this.options.forward === "changes" ? this.#changes : undefined,
      log: this.log,
      queue: {
        setVisibility: async (messages: readonly ReceivedMessage[], seconds: number) => {
          this.#operate();
          for (const { receiptHandle } of messages) this.queue.setVisibility(receiptHandle, seconds);
        },
      },
      deadLetterQueue: {
        send: async (messages: readonly OutgoingMessage[]) => {
          this.#operate();
          for (const message of messages) this.deadLetters.send({ ...message, attributes: ATTRIBUTES });
        },
      },
    });
    return deliverHandler(deps);
  }

  #operate(): void {
    if (this.#operationsLeft-- <= 0) throw new Killed();
  }

  #happens(chance = 0): boolean {
    return this.failing && this.#random() < chance;
  }
}

/** Returns each trait by its hashes, as the product itself writes them. */
async function hashesOf(changes: ChangesDependencies): Promise<ReadonlyMap<string, Trait>> {
  const hashes = new Map<string, Trait>();
  for (const [name, value] of NAMES.flatMap((name) => VALUES.map((value) => [name, value] as const))) {
    const records = new FakeRecords();
    const call = parseIdentifyCall(callBody({ traits: { [name]: value } }));
    const record = new UserRecord({ ...changes, records, userHash: "any", now: () => NOON });
    await record.add({ call, variations: [] }, { traits: true, variations: [] }, "key", 1n);
    for (const [hash, fingerprint] of records.writes[0]?.fingerprints ?? [])
      hashes.set(hash + fingerprint.value, { name, value });
  }
  return hashes;
}
