import { randomUUID } from "node:crypto";

export interface Clock {
  /** Milliseconds since 1970; moves only when told to. */
  now: number;
}

export interface Sent {
  readonly body: string;
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Message extends Sent {
  /** The order of sending, over all groups. */
  readonly sequence: number;
  readonly id: string;
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
}

/**
 * SQS FIFO by its documentation, over a clock that can be moved. The emulator of the local cloud follows real time and hands out
 * one message of a group at once; SQS, and so Lambda, several: it is those whose order is at stake.
 */
export class FifoQueue {
  readonly #options: FifoQueueOptions;
  readonly #messages = new Map<string, Message>();
  readonly #seen = new Map<string, number>();
  #sequence = 0;

  constructor(options: FifoQueueOptions) {
    this.#options = options;
  }

  get messages(): readonly Message[] {
    return [...this.#messages.values()];
  }

  /** Stores nothing if the group got the same id within five minutes. */
  send(sent: Sent): void {
    const { now } = this.#options.clock;
    const key = `${sent.groupId} ${sent.deduplicationId}`;
    const last = this.#seen.get(key);
    if (last !== undefined && now - last < DEDUPLICATION) return;
    this.#seen.set(key, now);
    const id = randomUUID();
    const fresh = { receiveCount: 0, receiptHandle: "", visibleAt: 0 };
    this.#messages.set(id, { ...sent, ...fresh, id, sequence: this.#sequence++, sentAt: now });
  }

  /** In order, and none of a group of which any message is in flight. */
  receive(most: number): readonly Message[] {
    const { clock, visibility, deadLetters } = this.#options;
    this.#expire();
    const blocked = new Set(
      this.messages.filter(({ visibleAt }) => visibleAt > clock.now).map(({ groupId }) => groupId),
    );
    const taken: Message[] = [];
    for (const message of this.#messages.values()) {
      if (taken.length === most) break;
      if (blocked.has(message.groupId)) continue;
      message.receiveCount++;
      if (deadLetters !== undefined && message.receiveCount > deadLetters.maxReceiveCount) {
        this.#messages.delete(message.id);
        deadLetters.queue.send(message);
        continue;
      }
      message.visibleAt = clock.now + visibility;
      message.receiptHandle = randomUUID();
      taken.push(message);
    }
    return taken.map((message) => ({ ...message }));
  }

  delete(receiptHandle: string): void {
    const message = this.#byHandle(receiptHandle);
    if (message !== undefined) this.#messages.delete(message.id);
  }

  /** False for a handle that is no longer the message's. */
  setVisibility(receiptHandle: string, seconds: number): boolean {
    const message = this.#byHandle(receiptHandle);
    if (message === undefined) return false;
    message.visibleAt = this.#options.clock.now + 1_000 * seconds;
    return true;
  }

  /** When the next message that is in flight becomes visible, if any is. */
  get nextVisibleAt(): number | undefined {
    const times = this.messages
      .map(({ visibleAt }) => visibleAt)
      .filter((at) => at > this.#options.clock.now);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #byHandle(receiptHandle: string): Message | undefined {
    return this.messages.find((message) => message.receiptHandle === receiptHandle);
  }

  #expire(): void {
    const { clock, retention } = this.#options;
    for (const { id, sentAt } of this.#messages.values()) {
      if (clock.now - sentAt > retention) this.#messages.delete(id);
    }
  }
}
