import { AwsCallError } from "../domain/errors";
import { isJsonObject, tryParseJson } from "../domain/json";
import { faultCode } from "./fault-code";
import type { HttpAnswer } from "./http-answer";
import { KeepAlive, requestHead } from "./keep-alive";
import { type Credentials, SignatureV4 } from "./signature-v4";

export interface AwsJsonOptions {
  readonly service: "ssm" | "sqs" | "dynamodb";
  readonly region: string;
  /** Origin of the API; http for an emulator on loopback. */
  readonly endpoint: string;
  readonly credentials: Credentials;
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

/** Signed calls to one AWS API that speaks JSON. */
export class AwsJson {
  readonly #options: AwsJsonOptions;
  readonly #host: string;
  readonly #signature: SignatureV4;
  readonly #connection: KeepAlive;

  constructor(options: AwsJsonOptions) {
    const origin = new URL(options.endpoint);
    this.#options = options;
    this.#host = origin.host;
    this.#signature = new SignatureV4(options.credentials, options.region, options.service);
    this.#connection = new KeepAlive({ origin, now: options.now });
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
        await new Promise((resolve) => setTimeout(resolve, this.#options.pause));
      }
    }
  }

  async #attempt(action: string, body: string, deadline: number): Promise<unknown> {
    const response = await this.#exchange(action, body, deadline);
    const answer = tryParseJson(response.text);
    if (response.status === 200) {
      // Something between here and AWS answers; what it says is no confirmation.
      if (answer === undefined) throw new AwsCallError(this.#name(action), "no-json", true);
      return answer;
    }
    const type = textOf(answer, "__type");
    const code = type.slice(type.lastIndexOf("#") + 1) || `http-${response.status}`;
    const retryable = response.status >= 500 || [408, 429].includes(response.status) || THROTTLED.test(code);
    const detail = REFUSED_ACCESS.test(code) ? textOf(answer, "message", "Message") : "";
    throw new AwsCallError(this.#name(action), code, retryable, { detail });
  }

  #exchange(action: string, body: string, deadline: number): Promise<HttpAnswer> {
    const { targetPrefix, contentType } = PROTOCOLS[this.#options.service];
    const post = { host: this.#host, contentType, target: `${targetPrefix}.${action}`, body };
    const headers = this.#signature.sign(post, this.#options.now());
    const timeout = Math.min(this.#options.attemptTimeout, this.#left(deadline));
    return this.#connection.post(requestHead("/", headers), body, timeout);
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
    this.#connection.close();
  }
}

function textOf(answer: unknown, ...names: readonly string[]): string {
  if (!isJsonObject(answer)) return "";
  const found = names.map((name) => answer[name]).find((value) => typeof value === "string");
  return typeof found === "string" ? found : "";
}
