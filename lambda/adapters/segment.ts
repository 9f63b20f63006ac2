import { Pool } from "undici";
import { codeOf, TimeoutError } from "../errors";
import { requestOf } from "../experiments";
import type { IdentifyCall } from "../identify-call";
import { USER_AGENT } from "../library";
import { hasPassed, type Machine } from "../timing";
import { askedDelay } from "./retry-after";

/** What an answer means, by its status. The first match counts; `NO_ANSWER` where none does. */
const CODES = [
  { statuses: /^2..$/, code: "accepted" },
  { statuses: /^(408|429)$/, code: "slow-down" },
  { statuses: /^([34]..|501|505)$/, code: "endpoint-refused" },
  { statuses: /^5..$/, code: "server-error" },
] as const;
const NO_ANSWER = "no-answer";

export type AnswerCode = (typeof CODES)[number]["code"] | typeof NO_ANSWER;

/** @param status undefined = no answer came, or one that is not HTTP. */
export function codeOfStatus(status: number | undefined): AnswerCode {
  return CODES.find(({ statuses }) => statuses.test(String(status)))?.code ?? NO_ANSWER;
}

/** The result of one attempt. */
export interface SegmentAnswer {
  readonly code: AnswerCode;
  /** undefined = no answer came, or one that is not HTTP. */
  readonly status: number | undefined;
  /** For the log: the status, or a name for the network's error. */
  readonly reason: string;
  /** What the answer asks to wait before the next attempt; undefined = it does not say. */
  readonly askedSeconds: number | undefined;
  /** Until the answer, or until the attempt was ended. */
  readonly elapsedMs: number;
}

/** Nothing in an answer's body is used: it is read so that the socket can be used again. */
const MAX_ANSWER = 1024 * 1024;

/** Segment's HTTP Tracking API. */
export class Segment {
  readonly #origin: string;
  readonly #path: string;
  #pool: Pool | undefined;
  #lastUsedAtMs = 0;

  /** `endpoint`: base URL; `/v1/identify` or `/v1/batch` is added. */
  constructor(
    endpoint: string,
    private readonly machine: Pick<Machine, "now" | "timing">,
  ) {
    const { origin, pathname } = new URL(endpoint);
    this.#origin = origin;
    this.#path = pathname.replace(/\/+$/, "");
  }

  /**
   * One attempt: the call alone, or in a batch with its events. Never throws: an error of the network is an answer too. A status counts
   * even if the body behind it is cut off.
   */
  async send(call: IdentifyCall, events: readonly string[], writeKey: string): Promise<SegmentAnswer> {
    const { now, timing } = this.machine;
    const startedAtMs = now();
    const timeout = new AbortController();
    // One timer for the whole attempt: undici's own fire late, and an answer that comes byte by byte outlives them.
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

  /** The other end may have closed the sockets of a frozen container unnoticed, so after a pause they are not used again. */
  #currentPool(): Pool {
    const { now, timing } = this.machine;
    if (this.#pool === undefined || hasPassed(this.#lastUsedAtMs, now(), timing.maxIdleMs)) {
      // Requests under way are answered over the old one.
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

/** Names for the log. Any other error keeps the code that Node.js or undici gives it. */
function nameOf(error: unknown): string {
  if (Object(error).name === "HTTPParserError") return "not-http";
  const code = codeOf(error);
  return code === "UND_ERR_CONNECT_TIMEOUT" ? "connect-timeout" : code;
}
