import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { bodyOf } from "./server";
import { type Behaviour, type Reply, reply } from "./wire";

/** An identify call that reaches Segment, for the first time or again. */
export interface ArrivingCall {
  readonly messageId: string;
  /** `userId`, or `anonymousId`. */
  readonly userId: string;
  readonly traits: Readonly<Record<string, unknown>>;
  /** The track events of the same request. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  readonly writeKey: string;
  /** Number of the attempt with this message id, from 1. */
  readonly attempt: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly bytes: number;
  readonly headers: IncomingMessage["headers"];
  /** Equal for two calls over the same connection. */
  readonly clientPort: number | undefined;
}

/**
 * What Segment does with a call. With `reset-before` and `hanging` it does not accept the call. With a behaviour of ACCEPTED_BUT it
 * accepts the call, and then answers as the name says.
 */
export type SegmentBehaviour = Reply | "reset-before" | keyof typeof ACCEPTED_BUT | "hanging";

const ACCEPTED_BUT = {
  "reset-within": "reset-within",
  "reset-after": "reset",
  dripping: "drip",
  garbage: "garbage",
} as const satisfies Record<string, Behaviour>;

/** How the embedded Segment of `npm start` behaves. The key `s` steps through the modes in this order. */
export const SEGMENT_MODES = ["ok", "slow", "429", "reject", "down"] as const;

export type SegmentMode = (typeof SEGMENT_MODES)[number];

/** Milliseconds until a slow answer, below the time-out of 8 s. A user who sends each second has five more calls by then: they are merged. */
const SLOW_MS = 6_000;
/** The user whose calls mode `reject` refuses. */
export const REJECTED_USER = "ann";

const MODES: Readonly<Record<SegmentMode, (call: ArrivingCall) => SegmentBehaviour>> = {
  ok: () => ({ status: 200 }),
  slow: () => ({ status: 200, delay: SLOW_MS }),
  429: () => ({ status: 429, headers: { "retry-after": "5" } }),
  reject: ({ userId }) => ({ status: userId === REJECTED_USER ? 400 : 200 }),
  down: () => "reset-before",
};

export function isSegmentMode(input: unknown): input is SegmentMode {
  return SEGMENT_MODES.some((mode) => mode === input);
}

export interface FakeSegmentOptions {
  /** @default - by its mode */
  readonly behave?: (call: ArrivingCall) => SegmentBehaviour;
  /** Called for each call that Segment accepted, in order. */
  readonly onTaken?: (call: ArrivingCall) => void;
  /** @default true */
  readonly keepAlive?: boolean;
}

/** Segment's Tracking API, and `/v1/projects/<writeKey>/settings`, which answers 404 for an unknown write key. */
export class FakeSegment {
  /** Each call that was accepted, in order. */
  readonly calls: ArrivingCall[] = [];
  /** Statuses of the next answers. `behave` is asked only when none is left. */
  readonly refusals: number[] = [];
  mode: SegmentMode = "ok";
  /** Write keys of sources that exist. As at Segment, a call with any other key is also answered with 200. */
  readonly knownKeys = new Set<string>();
  readonly #attempts = new Map<string, number>();
  readonly #options: FakeSegmentOptions;
  readonly #listeners: ((call: ArrivingCall) => void)[] = [];

  constructor(options: FakeSegmentOptions = {}) {
    this.#options = options;
    if (options.onTaken !== undefined) this.#listeners.push(options.onTaken);
  }

  onTaken(listener: (call: ArrivingCall) => void): void {
    this.#listeners.push(listener);
  }

  readonly listener: RequestListener = async (request, response) => {
    const [, key] = /^\/v1\/projects\/([^/]+)\/settings$/.exec(request.url ?? "") ?? [];
    if (key !== undefined) {
      response.writeHead(this.knownKeys.has(decodeURIComponent(key)) ? 200 : 404).end("{}");
      return;
    }
    const bytes = await bodyOf(request).catch(() => undefined);
    if (bytes === undefined) return; // the client gave up
    if (request.method !== "POST" || !/^\/v1\/(identify|batch)$/.test(request.url ?? "")) {
      response.writeHead(404).end("Not Found");
      return;
    }
    const call = this.#read(request, bytes);
    const refusal = this.refusals.shift();
    const behaviour = refusal === undefined ? (this.#options.behave ?? MODES[this.mode])(call) : { status: refusal };
    const isReply = typeof behaviour === "object";
    if (isReply ? behaviour.status === 200 : behaviour in ACCEPTED_BUT) {
      this.calls.push(call);
      for (const listener of this.#listeners) listener(call);
    }
    if (this.#options.keepAlive === false) response.setHeader("connection", "close");
    const body = Object(behaviour).status === 200 ? '{"success":true}' : "refused";
    reply(isReply ? { body, ...behaviour } : toWire(behaviour), request, response);
  };

  readonly server = createServer(this.listener);

  #read({ headers, socket }: IncomingMessage, bytes: Buffer): ArrivingCall {
    const parsed = JSON.parse(bytes.toString());
    const [body, ...events] = parsed.batch ?? [parsed];
    const { messageId, userId = body.anonymousId, traits } = body;
    const attempt = (this.#attempts.get(messageId) ?? 0) + 1;
    this.#attempts.set(messageId, attempt);
    const [, encoded = ""] = headers.authorization?.split(" ") ?? [];
    const writeKey = Buffer.from(encoded, "base64").toString().replace(/:$/, "");
    return {
      messageId,
      userId,
      traits,
      events,
      writeKey,
      attempt,
      body,
      bytes: bytes.length,
      headers,
      clientPort: socket.remotePort,
    };
  }
}

function toWire(behaviour: Exclude<SegmentBehaviour, Reply>): Behaviour {
  if (behaviour === "hanging") return "hang";
  return behaviour === "reset-before" ? "reset" : ACCEPTED_BUT[behaviour];
}
