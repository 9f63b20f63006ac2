import { Pool } from "undici";
import { codeOf, TimeoutError } from "../errors";
import { type IdentifyCall, withSentAt } from "../identify-call";
import { USER_AGENT } from "../library";
import type { Machine } from "../timing";
import { askedDelay } from "./retry-after";

/** What one attempt came to. */
export interface SegmentAnswer {
  /** undefined = no answer came, or one that is not HTTP. */
  readonly status: number | undefined;
  /** For the log: the status, or a name for the fault of the network. */
  readonly reason: string;
  /** Seconds that the answer asks to wait before the next attempt; undefined = it does not say. */
  readonly retryAfter: number | undefined;
  /** Milliseconds until the answer, or until it was given up. */
  readonly elapsed: number;
}

/** Nothing in an answer's body is used: it is read so that the socket can be used again. */
const MAX_ANSWER = 1024 * 1024;

/** Segment's HTTP Tracking API. */
export class Segment {
  readonly #url: URL;
  #pool: Pool | undefined;
  #lastUsedAt = 0;
  /** A call timed out, and none was fast since. */
  #slow = false;

  /** `endpoint`: base URL; `/v1/identify` is added. */
  constructor(
    endpoint: string,
    private readonly machine: Pick<Machine, "now" | "timing">,
  ) {
    this.#url = new URL(`${endpoint.replace(/\/+$/, "")}/v1/identify`);
  }

  /**
   * One attempt, over a kept connection or a fresh one. Never throws: a fault of the network is an answer too. A status decides,
   * whatever becomes of the body behind it.
   */
  async identify(call: IdentifyCall, writeKey: string, connection: "kept" | "fresh"): Promise<SegmentAnswer> {
    const { now, timing } = this.machine;
    const startedAt = now();
    const elapsed = () => now() - startedAt;
    const timeout = new AbortController();
    const longest = this.#slow ? timing.segmentSlowAttempt : timing.segmentAttempt;
    const timer = setTimeout(() => timeout.abort(new TimeoutError()), longest);
    const headers = {
      authorization: `Basic ${Buffer.from(`${writeKey}:`).toString("base64")}`,
      "content-type": "application/json",
      "user-agent": USER_AGENT,
    };
    const request = { method: "POST", path: this.#url.pathname, headers, body: withSentAt(call, startedAt) } as const;
    try {
      const answer = await this.#poolFor(connection).request({ ...request, signal: timeout.signal });
      await answer.body.dump({ limit: MAX_ANSWER });
      if (elapsed() < timing.segmentFast) this.#slow = false;
      const { statusCode: status } = answer;
      return { status, reason: `status ${status}`, retryAfter: askedDelay(answer.headers, now()), elapsed: elapsed() };
    } catch (error) {
      if (error instanceof TimeoutError) this.#slow = true;
      return { status: undefined, reason: nameOf(error), retryAfter: undefined, elapsed: elapsed() };
    } finally {
      clearTimeout(timer);
      this.#lastUsedAt = now();
    }
  }

  /** The other end may have closed the sockets of a frozen container without its knowing: after a pause they are not used again. */
  #poolFor(connection: "kept" | "fresh"): Pool {
    const { now, timing } = this.machine;
    if (this.#pool === undefined || connection === "fresh" || Math.abs(now() - this.#lastUsedAt) > timing.maxIdle) {
      // What is under way is answered over the old one.
      void this.#pool?.close();
      this.#pool = new Pool(this.#url.origin, {
        connect: { timeout: timing.segmentConnect },
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: timing.segmentAddress,
        // The whole call has one timer: undici's fire late, and an answer that comes byte by byte outlives them.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    }
    this.#lastUsedAt = now();
    return this.#pool;
  }
}

/** Names for the log; anything else keeps the code that Node.js or undici gives it. */
function nameOf(error: unknown): string {
  if (Object(error).name === "HTTPParserError") return "not-http";
  const code = codeOf(error);
  return code === "UND_ERR_CONNECT_TIMEOUT" ? "connect-timeout" : code;
}
