import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { Hash } from "@smithy/hash-node";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Aws, AwsService } from "../config";
import { AwsCallError, codeOf, TimeoutError } from "../errors";
import { isJsonObject, tryParseJson } from "../json";
import { USER_AGENT } from "../library";
import { hasPassed, type Machine } from "../timing";

/** Version of AWS's JSON protocol, and the prefix of the action in `x-amz-target`. */
const PROTOCOLS = { ssm: ["1.1", "AmazonSSM"], sqs: ["1.0", "AmazonSQS"], dynamodb: ["1.0", "DynamoDB_20120810"] } as const;

/** AWS throttles with one of these codes and status 400. */
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|ThroughputExceeded|SlowDown/;
/** A container's clock may be wrong by minutes after a freeze. It is corrected by the answer's `Date`, as in AWS's own SDKs. */
const WRONG_CLOCK = /^RequestExpired |^RequestTimeTooSkewed |^RequestInTheFuture |^InvalidSignature.*(expired|not yet)/i;
/** Only for these errors is AWS's message kept. It names the role and the resource, and never quotes the request. */
const REFUSED_ACCESS = /AccessDenied|NotAuthorized|UnrecognizedClient|KMS|KeyId/i;
/** Bytes. DynamoDB's largest item has 400 KB, and JSON holds it in base64. */
const MAX_ANSWER = 1024 * 1024;
/** Milliseconds for each address of a host name. Node.js's default is 250, which is too short if one packet is lost. */
const ADDRESS_TIMEOUT = 600;

/** Makes signed calls to one AWS API with a JSON protocol, over keep-alive sockets. */
export class AwsCall {
  readonly #origin: URL;
  readonly #signer: SignatureV4;
  #agent: HttpAgent | undefined;
  #lastUsedAtMs = 0;
  /** Milliseconds that AWS's clock is ahead of this container's. */
  #clockOffset = 0;

  constructor(
    private readonly service: AwsService,
    { region, credentials, endpointOf }: Aws,
    private readonly machine: Machine,
  ) {
    this.#origin = new URL(endpointOf(service));
    // The signature always includes the body's hash. Only S3 needs it as a separate header.
    this.#signer = new SignatureV4({ service, region, credentials, sha256: Hash.bind(null, "sha256"), applyChecksum: false });
  }

  /**
   * Calls `action` and returns the parsed answer. No attempt lasts beyond `deadlineMs`, in milliseconds since 1970.
   * @throws AwsCallError after the last attempt, at the deadline, or if a retry can't help.
   */
  async send(action: string, payload: object, deadlineMs?: number): Promise<unknown> {
    const { now, random, timing } = this.machine;
    const end = deadlineMs ?? now() + timing.awsCallMs;
    const name = `${this.service}:${action}`;
    const body = JSON.stringify(payload);
    let last: AwsCallError | undefined;
    for (let attempt = 1; ; attempt++) {
      const left = end - now();
      try {
        return await this.#attempt(name, action, body, end);
      } catch (cause) {
        const error = cause instanceof AwsCallError ? cause : new AwsCallError(name, codeOf(cause), true, { cause });
        const longest = Math.min(timing.awsPauseMs * 2 ** (attempt - 1), timing.awsMaxPauseMs);
        const pause = longest * (0.5 + 0.5 * random());
        // If the deadline cut this attempt short, the previous attempt's error is more informative.
        if (error.code === "timeout" && left < timing.awsAttemptMs && last !== undefined) throw last;
        if (!error.retryable || attempt >= timing.awsAttempts || end - now() <= pause) throw error;
        last = error;
        await sleep(pause);
      }
    }
  }

  async #attempt(name: string, action: string, body: string, deadlineMs: number): Promise<unknown> {
    const { now, timing } = this.machine;
    const headers = await this.#sign(action, body);
    const { status, date, text } = await this.#exchange(headers, body, Math.min(timing.awsAttemptMs, deadlineMs - now()));
    const answer = tryParseJson(text);
    if (status === 200) {
      // A 200 without JSON is from a proxy. It does not confirm the call.
      if (answer === undefined) throw new AwsCallError(name, "no-json", true);
      return answer;
    }
    const type = textOf(answer, "__type");
    const code = type.slice(type.lastIndexOf("#") + 1) || `http-${status}`;
    const message = textOf(answer, "message") || textOf(answer, "Message");
    const wrongClock = WRONG_CLOCK.test(`${code} ${message}`);
    if (wrongClock && !Number.isNaN(date)) this.#clockOffset = date - now();
    const retryable = wrongClock || status >= 500 || status === 408 || status === 429 || THROTTLED.test(code);
    throw new AwsCallError(name, code, retryable, { detail: REFUSED_ACCESS.test(code) ? message : "" });
  }

  async #sign(action: string, body: string): Promise<Record<string, string>> {
    const [version, target] = PROTOCOLS[this.service];
    const { host, hostname } = this.#origin;
    const headers = {
      host,
      "user-agent": USER_AGENT,
      "content-type": `application/x-amz-json-${version}`,
      "content-length": String(Buffer.byteLength(body)),
      "x-amz-target": `${target}.${action}`,
    };
    const request = { method: "POST", protocol: "https:", hostname, path: "/", headers, body };
    const signingDate = new Date(this.machine.now() + this.#clockOffset);
    return (await this.#signer.sign(request, { signingDate })).headers;
  }

  #exchange(headers: Record<string, string>, body: string, timeout: number): ReturnType<typeof toAnswer> {
    const request = this.#origin.protocol === "http:" ? httpRequest : httpsRequest;
    const agent = this.#currentAgent();
    return new Promise((resolve, reject) => {
      const outgoing = request(this.#origin, { method: "POST", agent, headers });
      const timer = setTimeout(() => outgoing.destroy(new TimeoutError()), timeout);
      outgoing.on("response", async (incoming) => {
        // The status decides, even if the body fails to arrive.
        outgoing.off("error", reject).on("error", () => {});
        resolve(await toAnswer(incoming));
      });
      outgoing.on("error", reject).on("close", () => {
        clearTimeout(timer);
        this.#lastUsedAtMs = this.machine.now();
      });
      outgoing.end(body);
    });
  }

  /** After a pause the sockets are not used again: AWS may have closed them while the container was frozen. */
  #currentAgent(): HttpAgent {
    const now = this.machine.now();
    if (this.#agent === undefined || hasPassed(this.#lastUsedAtMs, now, this.machine.timing.maxIdleMs)) {
      this.#agent?.destroy();
      const options = { keepAlive: true, autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT };
      this.#agent = this.#origin.protocol === "http:" ? new HttpAgent(options) : new HttpsAgent(options);
    }
    this.#lastUsedAtMs = now;
    return this.#agent;
  }
}

/** Returns what arrived, up to MAX_ANSWER bytes. JSON that does not parse means that the body was cut off. */
async function toAnswer(incoming: IncomingMessage) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER) break;
      chunks.push(chunk);
    }
  } catch {
    // The socket broke, or the attempt timed out.
  }
  const { statusCode: status = 0, headers } = incoming;
  // `Date.parse` returns NaN if the date is missing.
  return { status, date: Date.parse(headers.date ?? ""), text: Buffer.concat(chunks).toString() };
}

function textOf(answer: unknown, name: string): string {
  const value = isJsonObject(answer) ? answer[name] : undefined;
  return typeof value === "string" ? value : "";
}
