import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
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
  readonly #agent: HttpAgent;

  constructor(options: AwsJsonOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.endpoint);
    this.#agent =
      this.#endpoint.protocol === "http:"
        ? new HttpAgent({ keepAlive: true })
        : new HttpsAgent({ keepAlive: true });
  }

  /**
   * @throws AwsCallError once the attempts are used up, the fault is final, or `signal` aborts.
   */
  async call(action: string, payload: unknown, signal?: AbortSignal): Promise<unknown> {
    const body = JSON.stringify(payload);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(action, body, signal);
      } catch (error) {
        const failure = error instanceof AwsCallError ? error : this.#unreachable(action, error);
        if (!failure.retryable || attempt >= this.#options.attempts || signal?.aborted) throw failure;
        await sleep(this.#options.pause);
      }
    }
  }

  async #attempt(action: string, body: string, signal: AbortSignal | undefined): Promise<unknown> {
    const response = await this.#exchange(action, body, signal);
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
    signal: AbortSignal | undefined,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { hostname, port, host, protocol } = this.#endpoint;
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
      const send = protocol === "http:" ? httpRequest : httpsRequest;
      const request = send({
        hostname,
        port,
        method: "POST",
        path: "/",
        headers: headers ?? {},
        agent: this.#agent,
        ...(signal === undefined ? {} : { signal }),
      });
      const timer = setTimeout(() => request.destroy(new TimeoutError(attemptTimeout)), attemptTimeout);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      request.on("error", (error) => settle(() => reject(error)));
      request.on("response", (response) => {
        read(response).then(
          (text) => settle(() => resolve({ status: response.statusCode ?? 0, text })),
          (error: unknown) => settle(() => reject(error)),
        );
      });
      request.end(body);
    });
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

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function textOf(answer: unknown, ...names: readonly string[]): string {
  if (!isJsonObject(answer)) return "";
  const found = names.map((name) => answer[name]).find((value) => typeof value === "string");
  return typeof found === "string" ? found : "";
}
