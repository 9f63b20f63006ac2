import { type Dispatcher, Pool } from "undici";
import { askedDelay } from "../domain/backoff";
import { type IdentifyCall, withSentAt } from "../domain/identify";
import { exchange } from "./exchange";
import { faultCode } from "./fault-code";

/** What one attempt came to. `status` is absent where Segment did not answer. */
export interface SegmentAnswer {
  readonly verdict: Verdict;
  readonly status?: number;
  /** For the log: a status, or the code of the network fault. */
  readonly reason: string;
  /** Seconds that Segment asks to wait before the next attempt, where it does. */
  readonly retryAfter?: number | undefined;
  /** Milliseconds until the answer, or until it was given up. */
  readonly elapsed: number;
}

/**
 * - `delivered`: Segment has it
 * - `retry`: the same call can succeed later
 * - `key-refused`: so can it, once the write key is right
 * - `rejected`: this call never can
 */
export type Verdict = "delivered" | "retry" | "key-refused" | "rejected";

/** The status table; the first row that holds counts. */
const VERDICTS: readonly { readonly from: number; readonly to: number; readonly verdict: Verdict }[] = [
  { from: 200, to: 299, verdict: "delivered" },
  // A redirect comes from a wrong endpoint, not from the event: kept until somebody mends it.
  { from: 300, to: 399, verdict: "retry" },
  { from: 401, to: 401, verdict: "key-refused" },
  { from: 403, to: 403, verdict: "key-refused" },
  { from: 408, to: 408, verdict: "retry" },
  { from: 429, to: 429, verdict: "retry" },
  { from: 400, to: 499, verdict: "rejected" },
  { from: 501, to: 501, verdict: "rejected" },
  { from: 505, to: 505, verdict: "rejected" },
  { from: 500, to: 599, verdict: "retry" },
];

export function verdictOf(status: number): Verdict {
  return VERDICTS.find(({ from, to }) => from <= status && status <= to)?.verdict ?? "retry";
}

export interface SegmentOptions {
  /** Base URL; `/v1/identify` is added. */
  readonly endpoint: string;
  /** Calls that run at once, and so sockets. */
  readonly connections: number;
  /** Milliseconds for a whole call, and for connecting within it. */
  readonly attemptTimeout: number;
  readonly connectTimeout: number;
  readonly now: () => number;
  /** @default - an undici Pool with the time-outs above */
  readonly dispatcher?: Dispatcher;
}

type Headers = Readonly<Record<string, string>>;

/** Segment's HTTP Tracking API. */
export class Segment {
  readonly #options: SegmentOptions;
  readonly #dispatcher: Dispatcher;
  readonly #origin: string;
  readonly #path: string;
  #known: { readonly writeKey: string; readonly headers: Headers } | undefined;

  constructor(options: SegmentOptions) {
    const endpoint = new URL(options.endpoint);
    this.#options = options;
    this.#origin = endpoint.origin;
    this.#path = `${endpoint.pathname.replace(/\/+$/, "")}/v1/identify`;
    this.#dispatcher =
      options.dispatcher ??
      new Pool(endpoint.origin, {
        connections: options.connections,
        pipelining: 1,
        connect: { timeout: options.connectTimeout },
        headersTimeout: options.attemptTimeout,
        bodyTimeout: options.attemptTimeout,
      });
  }

  /** One attempt. Never throws: a fault of the network is an answer too. */
  async identify(call: IdentifyCall, writeKey: string): Promise<SegmentAnswer> {
    const startedAt = this.#options.now();
    const elapsed = () => this.#options.now() - startedAt;
    try {
      const { status, headers } = await exchange(
        this.#dispatcher,
        {
          origin: this.#origin,
          path: this.#path,
          method: "POST",
          headers: this.#headersFor(writeKey),
          body: withSentAt(call, startedAt),
        },
        this.#options.attemptTimeout,
      );
      return {
        verdict: verdictOf(status),
        status,
        reason: `status ${status}`,
        retryAfter: askedDelay(headers, this.#options.now()),
        elapsed: elapsed(),
      };
    } catch (error) {
      return { verdict: "retry", reason: faultCode(error), elapsed: elapsed() };
    }
  }

  /** The key changes once a month, and its encoding with it. */
  #headersFor(writeKey: string): Headers {
    if (this.#known?.writeKey !== writeKey) {
      const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString("base64")}`;
      this.#known = { writeKey, headers: { authorization, "content-type": "application/json" } };
    }
    return this.#known.headers;
  }

  async close(): Promise<void> {
    await this.#dispatcher.close();
  }
}
