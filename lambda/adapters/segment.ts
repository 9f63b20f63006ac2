import { askedDelay } from "../domain/backoff";
import { type IdentifyCall, withSentAt } from "../domain/identify";
import { faultCode } from "./fault-code";
import { type HttpAnswer, IncompleteAnswerError } from "./http-answer";
import { KeepAlive, requestHead } from "./keep-alive";

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
  /** Milliseconds for a whole call, and for connecting within it. */
  readonly attemptTimeout: number;
  readonly connectTimeout: number;
  /** Milliseconds after which an idle socket is not used again. */
  readonly maxIdle: number;
  readonly now: () => number;
}

/** Segment's HTTP Tracking API. */
export class Segment {
  readonly #options: SegmentOptions;
  readonly #connection: KeepAlive;
  readonly #origin: URL;
  #known: { readonly writeKey: string; readonly head: string } | undefined;

  constructor(options: SegmentOptions) {
    const origin = new URL(options.endpoint);
    const { connectTimeout, maxIdle, now } = options;
    this.#options = options;
    this.#connection = new KeepAlive({ origin, connectTimeout, maxIdle, now });
    this.#origin = origin;
  }

  /** One attempt. Never throws: a fault of the network is an answer too. */
  async identify(call: IdentifyCall, writeKey: string): Promise<SegmentAnswer> {
    const { now, attemptTimeout } = this.#options;
    const startedAt = now();
    try {
      const body = withSentAt(call, startedAt);
      const answer = await this.#connection.post(this.#headFor(writeKey), body, attemptTimeout);
      return this.#judge(answer, startedAt);
    } catch (error) {
      // A status that came decides, whatever became of the body.
      if (error instanceof IncompleteAnswerError) return this.#judge(error.head, startedAt);
      return { verdict: "retry", reason: faultCode(error), elapsed: now() - startedAt };
    }
  }

  #judge({ status, headers }: Pick<HttpAnswer, "status" | "headers">, startedAt: number): SegmentAnswer {
    const now = this.#options.now();
    const verdict = verdictOf(status);
    return {
      verdict,
      status,
      reason: `status ${status}`,
      retryAfter: verdict === "delivered" ? undefined : askedDelay(headers, now),
      elapsed: now - startedAt,
    };
  }

  /** The key changes once a month, and the head with it. */
  #headFor(writeKey: string): string {
    if (this.#known?.writeKey !== writeKey) {
      const { host, pathname } = this.#origin;
      const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString("base64")}`;
      const headers = [
        ...["host", host],
        ...["authorization", authorization],
        ...["content-type", "application/json"],
      ];
      this.#known = { writeKey, head: requestHead(`${pathname.replace(/\/+$/, "")}/v1/identify`, headers) };
    }
    return this.#known.head;
  }

  /** Ends the idle sockets, so that a process that is done can end. */
  close(): void {
    this.#connection.close();
  }
}
