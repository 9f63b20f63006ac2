import dns from "node:dns";
import { composeDeliver, composeReceive } from "../../lambda/wiring";
import { bytesOf, evaluationPayload, flagPayload, QUEUE_ARN, toRecord, webhookEvent } from "../cloud/events";
import type { Message } from "../cloud/fifo-queue";
import type { Handlers } from "../local/local-cloud";
import { captureOutput } from "../support/capture";
import { check, type Findings, type SentEvent, traitName } from "./checker";
import type { Fault, InvocationFault } from "./faults";
import { seeded, zipf } from "./random";
import { CAMPAIGN_TIMING, createWorld, SECRET, type World } from "./world";

export interface CampaignOptions {
  readonly events: number;
  readonly identities: number;
  readonly seed: number;
  /** The option of that name. @default "every" */
  readonly forward?: "every" | "changes";
}

/** 2026-11-23T00:00:00Z */
const START = Date.UTC(2026, 10, 23);
/** Between two webhooks. */
const INTERVAL = 50;
const MAX_TRIES = 3;
const PARALLEL_SENDS = 10;
const PARALLEL_INVOCATIONS = 10;
const CONTAINERS = 3;
/** A scenario that has not ended by then has lost its way. */
const END = START + 20 * 24 * 3_600_000;

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type PlannedEvent = Mutable<Omit<SentEvent, "answers">> & { readonly answers: number[] };

/** What the checker found, and how often the fault struck. */
export type Result = Findings & { readonly strikes: number };

/** One fault from the first webhook to an empty queue; what happens by chance is drawn from the seed. */
export async function runScenario(
  fault: Fault,
  options: CampaignOptions,
  sabotage: (handlers: Handlers) => Handlers = (handlers) => handlers,
): Promise<Result> {
  const random = seeded(options.seed);
  const world = await createWorld(fault, options.forward ?? "every", START, random);
  const capture = captureOutput();
  const restoreLookup = failLookups(fault.lookupFails ?? 0, world, random);
  try {
    const containers = createContainers(fault, world, random).map(sabotage);
    const findings = await new Scenario(fault, options, world, containers, random).run();
    return { ...findings, strikes: world.strikes };
  } finally {
    restoreLookup();
    await world.stop();
    capture.end();
  }
}

/** Several of each function, each with its own caches, sockets and clock. */
function createContainers(fault: Fault, world: World, random: () => number): readonly Handlers[] {
  const { receive, deliver } = world.environments;
  return Array.from({ length: CONTAINERS }, (_, index) => {
    const skew = fault.skews?.[index] ?? 0;
    const machine = { now: () => world.clock.now + skew, random, timing: CAMPAIGN_TIMING };
    return { receive: composeReceive(receive, machine), deliver: composeDeliver(deliver, machine) };
  });
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
  #requests = 0;

  constructor(
    private readonly fault: Fault,
    options: CampaignOptions,
    private readonly world: World,
    private readonly containers: readonly Handlers[],
    private readonly random: () => number,
  ) {
    this.#planned = plan(options, random);
  }

  async run(): Promise<Findings> {
    const waiting = [...this.#planned];
    while (await this.#step(waiting));
    return check({
      sent: this.#planned,
      taken: this.world.taken,
      deadLetters: this.world.deadLetters.messages.map(({ body, attributes }) => {
        const { userId, traits } = JSON.parse(body);
        return { userId, traitNames: Object.keys(traits), reason: attributes.reason?.StringValue };
      }),
    });
  }

  /** Starts what can start; when nothing is left to run at this time, moves the clock to the next. False at the end. */
  async #step(waiting: PlannedEvent[]): Promise<boolean> {
    this.#startSends(waiting);
    this.#startInvocations();
    const running = [...this.#sending, ...this.#invocations];
    if (running.length > 0) {
      await Promise.race(running);
      return true;
    }
    const { clock, queue, agenda } = this.world;
    const next = [waiting[0]?.sentAt, queue.nextVisibleAt, agenda[0]?.at].filter((at) => at !== undefined);
    const workLeft = waiting.length > 0 || queue.size > 0;
    if (!workLeft || next.length === 0 || clock.now > END) return false;
    clock.now = Math.max(clock.now, Math.min(...next));
    while ((agenda[0]?.at ?? Number.POSITIVE_INFINITY) <= clock.now) await agenda.shift()?.act();
    return true;
  }

  /** One identity's events follow each other; nobody else waits for them. */
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
      const request = webhookEvent({
        body,
        secret: SECRET,
        requestId: `request-${this.#requests++}`,
        at: this.world.clock.now,
      });
      const { statusCode = 0 } = await this.#container().receive(request, {
        awsRequestId: request.requestContext.requestId,
      });
      event.answers.push(statusCode);
      if (statusCode < 400) return;
    }
  }

  #startInvocations(): void {
    while (this.#invocations.size < PARALLEL_INVOCATIONS) {
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
    const deliver = this.#container().deliver;
    const event = { Records: messages.map((message) => toRecord(message, QUEUE_ARN)) };
    const context = {
      awsRequestId: "invocation",
      getRemainingTimeInMillis: () => CAMPAIGN_TIMING.deliverFunction,
    };
    const [{ batchItemFailures }] = await Promise.all([
      deliver(event, context),
      fault === "doubled" ? this.#container().deliver(event, context) : undefined,
    ]);
    release?.();
    if (fault === "killed" || fault === "unreported" || fault === "undeleted") return;
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const { id, receiptHandle } of messages) if (!failed.has(id)) queue.delete(receiptHandle);
    for (const { receiptHandle } of messages) dead.delete(receiptHandle);
  }

  /** Lets some of the batch's calls through, then nothing more of that invocation. */
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

  #container(): Handlers {
    const container = this.containers[Math.floor(this.random() * this.containers.length)];
    if (container === undefined) throw new Error("no container");
    return container;
  }
}

/** Every twentieth event is too large for one call. */
function plan({ events, identities }: CampaignOptions, random: () => number): PlannedEvent[] {
  const rank = zipf(identities, random);
  return Array.from({ length: events }, (_, number) => ({
    identity: `person-${rank()}`,
    number,
    flags: number % 20 === 19 ? 310 : 1 + Math.floor(random() * 5),
    sentAt: START + number * INTERVAL,
    answers: [],
  }));
}
