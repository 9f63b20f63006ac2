import dns from "node:dns";
import { RETRY_SECONDS } from "../../lambda/timing";
import { composeDeliver, composeReceive } from "../../lambda/wiring";
import type { Handlers } from "../cloud/environments";
import { deleteDelivered, invokeDeliver } from "../cloud/event-source";
import { bytesOf, evaluationPayload, flagPayload, webhookEvent } from "../cloud/events";
import type { Message } from "../cloud/fifo-queue";
import { captureOutput } from "../support/capture";
import { seeded, zipf } from "../support/random";
import { check, type Findings, type SentEvent, traitName } from "./checker";
import { BUSY, type Fault, type InvocationFault } from "./faults";
import { CAMPAIGN_TIMING, createWorld, type World } from "./world";

export interface CampaignOptions {
  readonly events: number;
  readonly identities: number;
  readonly seed: number;
  /** The option `forward`. @default "every" */
  readonly forward?: "every" | "changes";
  /** Containers of each function. @default 3 */
  readonly containers?: number;
  /** Ends the run before its time, with an error. */
  readonly signal?: AbortSignal;
}

/** 2026-11-23T00:00:00Z */
const START = Date.UTC(2026, 10, 23);
const HOUR = 3_600_000;
/** Milliseconds between two webhooks, unless the row spreads them over hours. */
const INTERVAL = 50;
const MAX_TRIES = 3;
const PARALLEL_SENDS = 10;
const PARALLEL_INVOCATIONS = 10;
/** After this time a container is replaced by one without memory, as Lambda does. */
const LIFETIME = 6 * HOUR;
/** A scenario that has not ended by then is defective. */
const END = START + 20 * 24 * HOUR;

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type PlannedEvent = Mutable<Omit<SentEvent, "answers">> & { readonly answers: number[] };

/** What the checker found, and how often the row's failure occurred. */
export type Result = Findings & { readonly strikes: number };

/** Runs one row from the first webhook to an empty queue. All random choices come from the seed. */
export async function runScenario(fault: Fault, options: CampaignOptions): Promise<Result> {
  const random = seeded(options.seed);
  const world = await createWorld(fault, options.forward ?? "every", START, random);
  const capture = captureOutput();
  const restoreLookup = failLookups(fault.lookupFails ?? 0, world, random);
  try {
    const containers = new Containers(fault, world, random, options.containers ?? 3);
    const findings = await new Scenario(fault, options, world, containers, random).run();
    return { ...findings, strikes: world.strikes };
  } finally {
    restoreLookup();
    await world.stop();
    capture.end();
  }
}

/** Several containers of each function, each with its own memory, sockets and clock. */
class Containers {
  readonly #slots: { handlers: Handlers; bornAt: number }[];

  constructor(
    private readonly fault: Fault,
    private readonly world: World,
    private readonly random: () => number,
    count: number,
  ) {
    // The containers differ in age.
    this.#slots = Array.from({ length: count }, (_, index) => {
      return { handlers: this.#create(index), bornAt: START - (index * LIFETIME) / count };
    });
  }

  any(): Handlers {
    const index = Math.floor(this.random() * this.#slots.length);
    const slot = this.#slots[index];
    if (slot === undefined) throw new Error("no container");
    const { now } = this.world.clock;
    if (now - slot.bornAt > LIFETIME && this.fault.recycles !== false)
      Object.assign(slot, { handlers: this.#create(index), bornAt: now });
    return slot.handlers;
  }

  #create(index: number): Handlers {
    const { receive, deliver } = this.world.environments;
    const skew = this.fault.skews?.[index] ?? 0;
    const machine = {
      now: () => this.world.clock.now + skew,
      random: this.random,
      timing: CAMPAIGN_TIMING,
      retrySeconds: RETRY_SECONDS,
    };
    return { receive: composeReceive(receive, machine), deliver: composeDeliver(deliver, machine) };
  }
}

function failLookups(share: number, world: World, random: () => number): () => void {
  const lookup = dns.lookup;
  const failing = (hostname: string, ...rest: unknown[]) => {
    const callback = rest.at(-1);
    if (random() >= share) return Reflect.apply(lookup, dns, [hostname, ...rest]);
    world.strikes++;
    const error = Object.assign(new Error("getaddrinfo EAI_AGAIN"), { code: "EAI_AGAIN" });
    setImmediate(() => typeof callback === "function" && callback(error));
  };
  if (share > 0) dns.lookup = Object.assign(failing, lookup);
  return () => {
    dns.lookup = lookup;
  };
}

class Scenario {
  readonly #planned: PlannedEvent[];
  readonly #busyIdentities = new Set<string>();
  readonly #sending = new Set<Promise<void>>();
  readonly #invocations = new Set<Promise<void>>();
  readonly #end: number;
  /** Invocations whose work is done, but which still last on the virtual clock. */
  #lasting = 0;
  #requests = 0;

  constructor(
    private readonly fault: Fault,
    private readonly options: CampaignOptions,
    private readonly world: World,
    private readonly containers: Containers,
    private readonly random: () => number,
  ) {
    this.#end = fault.endsAfter === undefined ? END : START + fault.endsAfter * HOUR;
    this.#planned = plan(fault, options, random);
  }

  async run(): Promise<Findings> {
    const waiting = [...this.#planned];
    while (await this.#step(waiting));
    const journal = {
      sent: this.#planned,
      acceptedCalls: this.world.acceptedCalls,
      deadLetters: this.world.deadLetters.messages.map(({ body, attributes, sentAt }) => {
        const { userId, traits } = JSON.parse(body);
        return { userId, traitNames: Object.keys(traits), reason: attributes.reason?.StringValue, at: sentAt };
      }),
      waiting: this.world.queue.messages.map(({ body, sentAt }) => {
        const { userId, traits } = JSON.parse(body);
        return { userId, traitNames: Object.keys(traits), age: this.world.clock.now - sentAt };
      }),
    };
    return check(journal, this.fault.strikes);
  }

  /** Starts what can start. When nothing runs any more, moves the clock to the next event. Returns false at the end. */
  async #step(waiting: PlannedEvent[]): Promise<boolean> {
    this.#startSends(waiting);
    this.#startInvocations();
    const running = [...this.#sending, ...this.#invocations];
    if (running.length > 0) {
      await Promise.race(running);
      return true;
    }
    this.options.signal?.throwIfAborted();
    const { clock, queue, agenda } = this.world;
    const next = [waiting[0]?.sentAt, queue.nextVisibleAt, agenda[0]?.at].filter((at) => at !== undefined);
    const workLeft = waiting.length > 0 || queue.size > 0;
    if (!workLeft || next.length === 0 || clock.now > this.#end) return false;
    clock.now = Math.max(clock.now, Math.min(...next));
    while ((agenda[0]?.at ?? Number.POSITIVE_INFINITY) <= clock.now) await agenda.shift()?.act();
    return true;
  }

  /** Sends one user's events one after the other. Events of other users do not wait for them. */
  #startSends(waiting: PlannedEvent[]): void {
    for (let index = 0; index < waiting.length && this.#sending.size < PARALLEL_SENDS; ) {
      const event = waiting[index];
      if (event === undefined || event.sentAt > this.world.clock.now) return;
      if (this.#busyIdentities.has(event.identity)) {
        index++;
        continue;
      }
      waiting.splice(index, 1);
      this.#busyIdentities.add(event.identity);
      const sending = this.#send(event).finally(() => {
        this.#busyIdentities.delete(event.identity);
        this.#sending.delete(sending);
      });
      this.#sending.add(sending);
    }
  }

  async #send(event: PlannedEvent): Promise<void> {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      const flags = Array.from({ length: event.flags }, (_, flag) =>
        flagPayload({ name: traitName(event.number, attempt, flag) }),
      );
      const body = bytesOf(evaluationPayload({ identity: event.identity, flags }));
      const request = webhookEvent({ body, requestId: `request-${this.#requests++}`, at: this.world.clock.now });
      const { statusCode = 0 } = await this.containers
        .any()
        .receive(request, { awsRequestId: request.requestContext.requestId });
      event.answers.push(statusCode);
      if (statusCode < 400) return;
    }
  }

  #startInvocations(): void {
    while (this.#invocations.size + this.#lasting < PARALLEL_INVOCATIONS) {
      const messages = this.world.queue.receive(10);
      if (messages.length === 0) return;
      const invocation = this.#invoke(messages).finally(() => this.#invocations.delete(invocation));
      this.#invocations.add(invocation);
    }
  }

  async #invoke(messages: readonly Message[]): Promise<void> {
    const { queue, dead } = this.world;
    const fault: InvocationFault = this.fault.invocation?.(this.random);
    if (fault !== undefined) this.world.strikes++;
    const release = fault === "killed" ? this.#killWithin(messages) : undefined;
    const deliver = this.containers.any().deliver;
    const context = { requestId: `invocation-${this.#requests++}`, timeLeftMs: () => CAMPAIGN_TIMING.deliverFunctionMs };
    const callsBefore = this.#callsOf(messages);
    const [failed] = await Promise.all([
      invokeDeliver(deliver, messages, context),
      fault === "doubled" ? invokeDeliver(this.containers.any().deliver, messages, context) : undefined,
    ]);
    release?.();
    const calls = this.#callsOf(messages).map((count, index) => count - (callsBefore[index] ?? 0));
    const end = () => {
      for (const { receiptHandle } of messages) dead.delete(receiptHandle);
      if (fault === "killed" || fault === "unreported" || fault === "undeleted") return;
      deleteDelivered(queue, messages, failed);
    };
    const { callSeconds } = this.fault;
    if (callSeconds === undefined) return end();
    // One user's calls follow each other, and each takes some time on the virtual clock.
    this.#lasting++;
    this.world.schedule(this.world.clock.now + 1_000 * callSeconds * Math.max(...calls), () => {
      this.#lasting--;
      end();
    });
  }

  /** Counts the calls of each user in a batch that reached Segment. No other invocation has messages of these users meanwhile. */
  #callsOf(messages: readonly Message[]): readonly number[] {
    return messages.map(({ body }) => this.world.arrivals.get(JSON.parse(body).userId) ?? 0);
  }

  /** Kills an invocation after some of its calls: nothing that it does later has an effect. */
  #killWithin(messages: readonly Message[]): () => void {
    const { dead } = this.world;
    const ids = new Set(messages.map(({ deduplicationId }) => deduplicationId));
    let left = Math.floor(this.random() * messages.length);
    for (const { receiptHandle } of messages) dead.add(receiptHandle);
    const before = this.world.onArrival;
    let over = false;
    this.world.onArrival = (messageId) => {
      if (!over && ids.has(messageId)) return left-- <= 0;
      return before(messageId);
    };
    return () => {
      over = true;
      for (const { receiptHandle } of messages) dead.delete(receiptHandle);
    };
  }
}

/** Plans the events. Every twentieth event is too large for one call. */
function plan(
  { hours, busy = 0, byTurns = false, ...fault }: Fault,
  options: CampaignOptions,
  random: () => number,
): PlannedEvent[] {
  const { events = options.events, users = options.identities } = fault;
  const rank = zipf(users, random);
  const interval = hours === undefined ? INTERVAL : (hours * HOUR) / events;
  return Array.from({ length: events }, (_, number) => ({
    identity: random() < busy ? BUSY : `user-${byTurns ? number % users : rank()}`,
    number,
    flags: number % 20 === 19 ? 310 : 1 + Math.floor(random() * 5),
    sentAt: START + number * interval,
    answers: [],
  }));
}
