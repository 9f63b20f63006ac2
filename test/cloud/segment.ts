import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { bodyOf } from "./server";

/** An identify call as it reaches Segment, for the first or a later time. */
export interface ArrivingCall {
  readonly messageId: string;
  /** `userId`, or `anonymousId`. */
  readonly userId: string;
  readonly traits: Readonly<Record<string, unknown>>;
  readonly writeKey: string;
  /** Of this message id, from 1. */
  readonly attempt: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly bytes: number;
  readonly headers: IncomingMessage["headers"];
  /** Equal for two calls over one connection. */
  readonly clientPort: number | undefined;
}

export type SegmentBehaviour =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly delay?: number }
  /** Closed before Segment took the call. */
  | "reset-before"
  /** Taken, then closed in the middle of the answer's head. */
  | "reset-within"
  /** Taken, then closed instead of an answer. */
  | "reset-after"
  | "hanging"
  /** Taken, and answered with a byte now and then. */
  | "dripping"
  /** Taken, and answered with something that is not HTTP. */
  | "garbage";

/** How the embedded Segment of `npm start` behaves, in the order of its key. */
export const SEGMENT_MODES = ["ok", "slow", "429", "reject", "down"] as const;

export type SegmentMode = (typeof SEGMENT_MODES)[number];

/** Milliseconds of a slow answer: a user who sends each second has five more calls by then, which are merged. Time-out: 8 s. */
const SLOW_MS = 6_000;
/** Whose calls mode `reject` refuses. */
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

const TAKEN: ReadonlySet<unknown> = new Set(["reset-within", "reset-after", "dripping", "garbage"]);

export interface FakeSegmentOptions {
  /** @default - by its mode */
  readonly behave?: (call: ArrivingCall) => SegmentBehaviour;
  /** For each call that Segment took, in order. */
  readonly onTaken?: (call: ArrivingCall) => void;
  /** @default true */
  readonly keepAlive?: boolean;
}

/** Segment's Tracking API, and the settings by which its own destinations check a write key. */
export class FakeSegment {
  /** Every call that was taken, in order. */
  readonly calls: ArrivingCall[] = [];
  /** Statuses of the next calls, before `behave` is asked. */
  readonly refusals: number[] = [];
  mode: SegmentMode = "ok";
  /** Write keys of sources that exist. As at Segment, calls with any other are answered with 200 all the same. */
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
    if (request.method !== "POST" || request.url !== "/v1/identify") {
      response.writeHead(404).end("Not Found");
      return;
    }
    const call = this.#read(request, bytes);
    const refusal = this.refusals.shift();
    const behaviour = refusal === undefined ? (this.#options.behave ?? MODES[this.mode])(call) : { status: refusal };
    const taken = TAKEN.has(behaviour) || Object(behaviour).status === 200;
    if (taken) {
      this.calls.push(call);
      for (const listener of this.#listeners) listener(call);
    }
    if (this.#options.keepAlive === false) response.setHeader("connection", "close");
    await answer(request, response, behaviour);
  };

  readonly server = createServer(this.listener);

  #read({ headers, socket }: IncomingMessage, bytes: Buffer): ArrivingCall {
    const body = JSON.parse(bytes.toString());
    const { messageId, userId = body.anonymousId, traits } = body;
    const attempt = (this.#attempts.get(messageId) ?? 0) + 1;
    this.#attempts.set(messageId, attempt);
    const [, encoded = ""] = headers.authorization?.split(" ") ?? [];
    const writeKey = Buffer.from(encoded, "base64").toString().replace(/:$/, "");
    return { messageId, userId, traits, writeKey, attempt, body, bytes: bytes.length, headers, clientPort: socket.remotePort };
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, behaviour: SegmentBehaviour): Promise<void> {
  if (typeof behaviour === "object") {
    const { status, headers, delay } = behaviour;
    if (delay !== undefined) await new Promise((resolve) => setTimeout(resolve, delay));
    response.writeHead(status, headers).end(status === 200 ? '{"success":true}' : "refused");
    return;
  }
  const { socket } = request;
  switch (behaviour) {
    case "hanging":
      return;
    case "reset-before":
    case "reset-after":
      socket.resetAndDestroy();
      return;
    case "reset-within":
      socket.write("HTTP/1.1 200 OK\r\ncontent-le", () => socket.resetAndDestroy());
      return;
    case "garbage":
      socket.end("\u0000\u0001 200 ok, sort of\r\n\r\n");
      return;
    case "dripping": {
      const bytes = [..."HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"];
      const timer = setInterval(() => {
        const byte = bytes.shift();
        if (byte === undefined || socket.destroyed) clearInterval(timer);
        else socket.write(byte);
      }, 50);
      socket.once("close", () => clearInterval(timer));
    }
  }
}
