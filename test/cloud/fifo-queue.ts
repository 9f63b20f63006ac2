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
  /** Rises with each message, across all groups. */
  readonly sequence: number;
  readonly sentAt: number;
  receiveCount: number;
  receiptHandle: string;
  /** The message is in flight until this time. */
  visibleAt: number;
}

const DEDUPLICATION = 5 * 60_000;

export interface FifoQueueOptions {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly visibility: number;
  readonly retention: number;
  readonly deadLetters?: { readonly queue: FifoQueue; readonly maxReceiveCount: number };
  /** How many messages, counted from the oldest, the queue looks at. @default 120,000, SQS's limit */
  readonly window?: number;
}

/** An SQS FIFO queue as AWS documents it. A test can pass its own clock. */
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

  /** Returns the message's id. Stores nothing if the group received the same deduplication id less than five minutes ago. */
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

  /** Returns messages in order, but none of a group that has a message in flight. `visibility` is in milliseconds. */
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

  /** Returns false for a handle that is no longer valid. */
  delete(receiptHandle: string): boolean {
    const message = this.#byHandle.get(receiptHandle);
    if (message !== undefined) this.#remove(message);
    return message !== undefined;
  }

  /** Returns false for a handle that is no longer valid. */
  setVisibility(receiptHandle: string, seconds: number): boolean {
    const message = this.#byHandle.get(receiptHandle);
    if (message === undefined) return false;
    message.visibleAt = this.#options.clock.now + 1_000 * seconds;
    return true;
  }

  /** Time at which the next message in flight becomes visible; undefined if none is in flight. */
  get nextVisibleAt(): number | undefined {
    let next: number | undefined;
    for (const { visibleAt } of this.#byHandle.values()) {
      if (visibleAt > this.#options.clock.now) next = Math.min(next ?? visibleAt, visibleAt);
    }
    return next;
  }

  /** Moves all messages to another queue, as a redrive does: in order, with new ids and times. Returns their number. */
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
