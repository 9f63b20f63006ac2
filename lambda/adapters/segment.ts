import { Pool } from "undici";
import { codeOf, TimeoutError } from "../errors";
import { requestOf } from "../experiments";
import type { IdentifyCall } from "../identify-call";
import { USER_AGENT } from "../library";
import { hasPassed, type Machine } from "../timing";
import { askedDelay } from "./retry-after";

/** Codes of an answer, by its status. The first match counts. Without a match the code is `NO_ANSWER`. */
const CODES = [
  { statuses: /^2..$/, code: "accepted" },
  { statuses: /^(408|429)$/, code: "slow-down" },
  { statuses: /^([34]..|501|505)$/, code: "endpoint-refused" },
  { statuses: /^5..$/, code: "server-error" },
] as const;
const NO_ANSWER = "no-answer";

export type AnswerCode = (typeof CODES)[number]["code"] | typeof NO_ANSWER;

/** @param status undefined = there was no answer, or it was not HTTP. */
export function codeOfStatus(status: number | undefined): AnswerCode {
  return CODES.find(({ statuses }) => statuses.test(String(status)))?.code ?? NO_ANSWER;
}

/** The result of one attempt. */
export interface SegmentAnswer {
  readonly code: AnswerCode;
  /** undefined = there was no answer, or it was not HTTP. */
  readonly status: number | undefined;
  /** For the log: the status, or the name of the network error. */
  readonly reason: string;
  /** The wait before the next attempt that the answer asks for. undefined = it asks for no wait. */
  readonly askedSeconds: number | undefined;
  /** Time until the answer, or until the attempt ended. */
  readonly elapsedMs: number;
}

/** Bytes. The body is not used. It is read so that the socket can be used again. */
const MAX_ANSWER = 1024 * 1024;

/** Segment's HTTP Tracking API. */
export class Segment {
  readonly #origin: string;
  readonly #path: string;
  #pool: Pool | undefined;
  #lastUsedAtMs = 0;

  /** `endpoint`: the base URL, without `/v1/identify` or `/v1/batch`. */
  constructor(
    endpoint: string,
    private readonly machine: Pick<Machine, "now" | "timing">,
  ) {
    const { origin, pathname } = new URL(endpoint);
    this.#origin = origin;
    this.#path = pathname.replace(/\/+$/, "");
  }

  /**
   * Makes one attempt: the call alone, or in a batch with its events. It does not throw, because a network error is a result as well. A
   * status counts even if its body is cut off.
   */
  async send(call: IdentifyCall, events: readonly string[], writeKey: string): Promise<SegmentAnswer> {
    const { now, timing } = this.machine;
    const startedAtMs = now();
    const timeout = new AbortController();
    // One timer covers the whole attempt. undici's own timers fire late and do not end an answer that arrives byte by byte.
    const timer = setTimeout(() => timeout.abort(new TimeoutError()), timing.segmentAttemptMs);
    const headers = {
      authorization: `Basic ${Buffer.from(`${writeKey}:`).toString("base64")}`,
      "content-type": "application/json",
      "user-agent": USER_AGENT,
    };
    const { path, body } = requestOf(call, events, startedAtMs);
    const request = { method: "POST", path: this.#path + path, headers, body } as const;
    try {
      const answer = await this.#currentPool().request({ ...request, signal: timeout.signal });
      await answer.body.dump({ limit: MAX_ANSWER });
      const { statusCode: status } = answer;
      const askedSeconds = askedDelay(answer.headers, now());
      return { code: codeOfStatus(status), status, reason: `status ${status}`, askedSeconds, elapsedMs: now() - startedAtMs };
    } catch (error) {
      const none = { code: NO_ANSWER, status: undefined, askedSeconds: undefined } as const;
      return { ...none, reason: nameOf(error), elapsedMs: now() - startedAtMs };
    } finally {
      clearTimeout(timer);
      this.#lastUsedAtMs = now();
    }
  }

  /** After a pause the sockets are not used again: Segment may have closed them while the container was frozen. */
  #currentPool(): Pool {
    const { now, timing } = this.machine;
    if (this.#pool === undefined || hasPassed(this.#lastUsedAtMs, now(), timing.maxIdleMs)) {
      // Requests in progress still use the old pool.
      void this.#pool?.close();
      this.#pool = new Pool(this.#origin, {
        connect: { timeout: timing.segmentConnectMs },
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: timing.segmentAddressMs,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    }
    this.#lastUsedAtMs = now();
    return this.#pool;
  }
}

/** Returns a name for the log. Most errors keep the code of Node.js or undici. */
function nameOf(error: unknown): string {
  if (Object(error).name === "HTTPParserError") return "not-http";
  const code = codeOf(error);
  return code === "UND_ERR_CONNECT_TIMEOUT" ? "connect-timeout" : code;
}
