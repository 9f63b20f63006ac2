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

/** Version of AWS's JSON protocol, and what stands before the action in `x-amz-target`. */
const PROTOCOLS = { ssm: ["1.1", "AmazonSSM"], sqs: ["1.0", "AmazonSQS"], dynamodb: ["1.0", "DynamoDB_20120810"] } as const;

/** AWS says "slow down" with one of these, at status 400. */
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|ThroughputExceeded|SlowDown/;
/** A container's clock may be minutes off after a freeze. AWS's own SDKs as well correct it by the answer's `Date`. */
const WRONG_CLOCK = /^RequestExpired |^RequestTimeTooSkewed |^RequestInTheFuture |^InvalidSignature.*(expired|not yet)/i;
/** The only faults whose message is passed on: it names the role and the resource, never the request. */
const REFUSED_ACCESS = /AccessDenied|NotAuthorized|UnrecognizedClient|KMS|KeyId/i;
/** Bytes. DynamoDB's largest item is 400 KB, in base64 in JSON. */
const MAX_ANSWER = 1024 * 1024;
/** Milliseconds for each address of a name. Node.js gives 250, which one lost packet uses up. */
const ADDRESS_TIMEOUT = 600;

/** Signed calls to one AWS API that speaks JSON, over sockets that are kept. */
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
    // The body's hash is signed in any case; as a header of its own it is only for S3.
    this.#signer = new SignatureV4({ service, region, credentials, sha256: Hash.bind(null, "sha256"), applyChecksum: false });
  }

  /**
   * Calls `action` and gives the parsed answer. No attempt lasts beyond `deadlineMs`, in milliseconds since 1970.
   * @throws AwsCallError once the attempts or the time are used up, or the fault is final.
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
        // An attempt that the deadline cut off says less than the one before it.
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
      // A proxy between here and AWS may answer; what it says confirms nothing.
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
        // A status decides, whatever becomes of the body behind it.
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

  /** The other end may have closed the sockets of a frozen container without its knowing: after a pause they are not used again. */
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

/** With as much of the body as came, if that is not too much: whether it is JSON tells whether it is whole. */
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
    // The socket broke or the time is up.
  }
  const { statusCode: status = 0, headers } = incoming;
  // A missing date is NaN.
  return { status, date: Date.parse(headers.date ?? ""), text: Buffer.concat(chunks).toString() };
}

function textOf(answer: unknown, name: string): string {
  const value = isJsonObject(answer) ? answer[name] : undefined;
  return typeof value === "string" ? value : "";
}
