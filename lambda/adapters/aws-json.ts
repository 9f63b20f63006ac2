import * as http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { sign } from "aws4";
import { AwsCallError } from "../domain/errors";
import { isJsonObject, tryParseJson } from "../domain/json";
import { faultCode } from "./fault-code";

export interface AwsJsonOptions {
  readonly service: "ssm" | "sqs" | "dynamodb";
  readonly region: string;
  /** Origin of the API; http for an emulator on loopback. */
  readonly endpoint: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Milliseconds for one attempt, from the first byte sent to the last received. */
  readonly attemptTimeout: number;
  readonly attempts: number;
  /** Milliseconds between two attempts. */
  readonly pause: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Protocol {
  readonly targetPrefix: string;
  readonly contentType: string;
}

const PROTOCOLS = {
  ssm: { targetPrefix: "AmazonSSM", contentType: "application/x-amz-json-1.1" },
  sqs: { targetPrefix: "AmazonSQS", contentType: "application/x-amz-json-1.0" },
  dynamodb: { targetPrefix: "DynamoDB_20120810", contentType: "application/x-amz-json-1.0" },
} as const satisfies Record<AwsJsonOptions["service"], Protocol>;

/** AWS says "slow down" with one of these, at status 400. */
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|ThroughputExceeded|SlowDown/;
/** The only faults whose message is passed on: it names the role and the resource, never the request. */
const REFUSED_ACCESS = /AccessDenied|NotAuthorized|UnrecognizedClient|KMS|KeyId/i;

/** Signed calls to one AWS API that speaks JSON, over one keep-alive connection. */
export class AwsJson {
  readonly #options: AwsJsonOptions;
  readonly #endpoint: URL;
  readonly #transport: Pick<typeof http, "Agent" | "request">;
  readonly #agent: http.Agent;

  constructor(options: AwsJsonOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.endpoint);
    // TLS costs 2.5 ms of every cold start; an emulator on loopback does without.
    this.#transport = this.#endpoint.protocol === "http:" ? http : process.getBuiltinModule("node:https");
    this.#agent = new this.#transport.Agent({ keepAlive: true });
  }

  /**
   * `deadline`, in milliseconds since 1970: no attempt lasts longer or begins later.
   *
   * @throws AwsCallError once the attempts or the time are used up, or the fault is final.
   */
  async call(action: string, payload: unknown, deadline = Number.POSITIVE_INFINITY): Promise<unknown> {
    const body = JSON.stringify(payload);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(action, body, deadline);
      } catch (error) {
        const failure = error instanceof AwsCallError ? error : this.#unreachable(action, error);
        if (
          !failure.retryable ||
          attempt >= this.#options.attempts ||
          this.#left(deadline) <= this.#options.pause
        )
          throw failure;
        await sleep(this.#options.pause);
      }
    }
  }

  async #attempt(action: string, body: string, deadline: number): Promise<unknown> {
    const response = await this.#exchange(action, body, deadline);
    const answer = tryParseJson(response.text);
    if (response.status === 200) return answer;
    const type = textOf(answer, "__type");
    const code = type.slice(type.lastIndexOf("#") + 1) || `http-${response.status}`;
    const retryable = response.status >= 500 || response.status === 429 || THROTTLED.test(code);
    const detail = REFUSED_ACCESS.test(code) ? textOf(answer, "message", "Message") : "";
    throw new AwsCallError(this.#name(action), code, retryable, { detail });
  }

  #exchange(
    action: string,
    body: string,
    deadline: number,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { hostname, port, host } = this.#endpoint;
    const { service, region, credentials, attemptTimeout } = this.#options;
    const { targetPrefix, contentType } = PROTOCOLS[service];
    const { headers } = sign(
      {
        service,
        region,
        method: "POST",
        path: "/",
        headers: { Host: host, "Content-Type": contentType, "X-Amz-Target": `${targetPrefix}.${action}` },
        body,
      },
      credentials,
    );
    return new Promise((resolve, reject) => {
      const request = this.#transport.request({
        hostname,
        port,
        method: "POST",
        path: "/",
        headers: headers ?? {},
        agent: this.#agent,
      });
      const timeout = Math.min(attemptTimeout, this.#left(deadline));
      const timer = setTimeout(() => request.destroy(new TimeoutError(timeout)), timeout);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      const fail = (error: Error) => settle(() => reject(error));
      request.on("error", fail);
      request.on("response", (response) => {
        // Events: an async iterator takes several times the CPU.
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          settle(() => resolve({ status: response.statusCode ?? 0, text }));
        });
      });
      request.end(body);
    });
  }

  /** Milliseconds. */
  #left(deadline: number): number {
    return deadline - this.#options.now();
  }

  #unreachable(action: string, cause: unknown): AwsCallError {
    return new AwsCallError(this.#name(action), faultCode(cause), true, { cause });
  }

  #name(action: string): string {
    return `${this.#options.service}:${action}`;
  }

  /** Ends the idle connections, so that a process that is done can end. */
  close(): void {
    this.#agent.destroy();
  }
}

class TimeoutError extends Error {
  override readonly name = "TimeoutError";

  constructor(after: number) {
    super(`no answer within ${after} ms`);
  }
}

function textOf(answer: unknown, ...names: readonly string[]): string {
  if (!isJsonObject(answer)) return "";
  const found = names.map((name) => answer[name]).find((value) => typeof value === "string");
  return typeof found === "string" ? found : "";
}
