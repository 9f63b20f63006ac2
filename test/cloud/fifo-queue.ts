import { randomUUID } from "node:crypto";

export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Attribute {
  readonly DataType: string;
  readonly StringValue: string;
}

export interface Sent {
  readonly body: string;
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Message extends Sent {
  readonly id: string;
  /** Rises over all groups. */
  readonly sequence: number;
  readonly sentAt: number;
  receiveCount: number;
  receiptHandle: string;
  /** In flight until then. */
  visibleAt: number;
}

const DEDUPLICATION = 5 * 60_000;

export interface FifoQueueOptions {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly visibility: number;
  readonly retention: number;
  readonly deadLetters?: { readonly queue: FifoQueue; readonly maxReceiveCount: number };
  /** Messages, from the oldest, among which SQS looks for groups. @default 120,000, as SQS */
  readonly window?: number;
}

/** SQS FIFO by its documentation, over a clock that may be a test's. */
export class FifoQueue {
  readonly #options: FifoQueueOptions;
  readonly #messages = new Map<string, Message>();
  readonly #byHandle = new Map<string, Message>();
  readonly #seen = new Map<string, number>();
  #sequence = 0;
  /** Messages that the retention deleted. */
  expired = 0;

  constructor(options: FifoQueueOptions) {
    this.#options = options;
  }

  get messages(): readonly Message[] {
    return [...this.#messages.values()];
  }

  get size(): number {
    return this.#messages.size;
  }

  get inFlight(): number {
    return this.messages.filter(({ visibleAt }) => visibleAt > this.#options.clock.now).length;
  }

  /** The message's id. Stores nothing if the group got the same deduplication id within five minutes. */
  send({ body, groupId, deduplicationId, attributes }: Sent): string {
    const { now } = this.#options.clock;
    const key = `${groupId} ${deduplicationId}`;
    const last = this.#seen.get(key);
    const id = randomUUID();
    if (last !== undefined && now - last < DEDUPLICATION) return id;
    this.#seen.set(key, now);
    const message = { body, groupId, deduplicationId, attributes, id, sequence: this.#sequence++, sentAt: now };
    this.#messages.set(id, { ...message, receiveCount: 0, receiptHandle: "", visibleAt: 0 });
    return id;
  }

  /** In order, and none of a group of which any message is in flight. `visibility` in milliseconds. */
  receive(most: number, visibility = this.#options.visibility): readonly Message[] {
    const { clock, deadLetters, window = 120_000 } = this.#options;
    this.#expire();
    const blocked = this.#groupsInFlight();
    const taken: Message[] = [];
    let looked = 0;
    for (const message of this.#messages.values()) {
      if (taken.length === most || ++looked > window) break;
      if (blocked.has(message.groupId)) continue;
      message.receiveCount++;
      if (deadLetters !== undefined && message.receiveCount > deadLetters.maxReceiveCount) {
        this.#remove(message);
        deadLetters.queue.send(message);
        continue;
      }
      this.#byHandle.delete(message.receiptHandle);
      message.visibleAt = clock.now + visibility;
      message.receiptHandle = randomUUID();
      this.#byHandle.set(message.receiptHandle, message);
      taken.push(message);
    }
    return taken.map((message) => ({ ...message }));
  }

  /** False for a handle that is no longer the message's. */
  delete(receiptHandle: string): boolean {
    const message = this.#byHandle.get(receiptHandle);
    if (message !== undefined) this.#remove(message);
    return message !== undefined;
  }

  /** False for a handle that is no longer the message's. */
  setVisibility(receiptHandle: string, seconds: number): boolean {
    const message = this.#byHandle.get(receiptHandle);
    if (message === undefined) return false;
    message.visibleAt = this.#options.clock.now + 1_000 * seconds;
    return true;
  }

  /** When the next message that is in flight becomes visible, if any is. */
  get nextVisibleAt(): number | undefined {
    let next: number | undefined;
    for (const { visibleAt } of this.#byHandle.values()) {
      if (visibleAt > this.#options.clock.now) next = Math.min(next ?? visibleAt, visibleAt);
    }
    return next;
  }

  /** Moves everything to another queue, as a redrive does: with new ids and times, in order. */
  moveTo(destination: FifoQueue): number {
    const messages = this.messages;
    for (const message of messages) {
      destination.send({ ...message, deduplicationId: randomUUID() });
      this.#remove(message);
    }
    return messages.length;
  }

  #groupsInFlight(): Set<string> {
    const { now } = this.#options.clock;
    const groups = new Set<string>();
    for (const { visibleAt, groupId } of this.#byHandle.values()) if (visibleAt > now) groups.add(groupId);
    return groups;
  }

  #remove(message: Message): void {
    this.#messages.delete(message.id);
    this.#byHandle.delete(message.receiptHandle);
  }

  #expire(): void {
    const { clock, retention } = this.#options;
    for (const message of this.#messages.values()) {
      if (clock.now - message.sentAt <= retention) return;
      this.#remove(message);
      this.expired++;
    }
  }
}
