import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { LocalPlaces } from "../../infra/cli/aws";
import type { ReceiveHandler } from "../../lambda/receive/receive";
import { apiGatewayEvent } from "../cloud/events";
import { bodyOf } from "../cloud/server";
import { isOfThisMachine, type SegmentSwitch, switchSegment } from "./own-routes";

/** Lambda's limit for an event; API Gateway itself accepts 10 MB. */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;

/** A request of the webhook, and how it was answered. */
export interface AnsweredWebhook {
  readonly atMs: number;
  /** API Gateway's request id. */
  readonly requestId: string;
  /** Lambda's request id, which is field `requestId` of the log entry. */
  readonly invocationId: string;
  readonly status: number;
  readonly body: Buffer;
  /** Why receive was not invoked, or gave no answer. */
  readonly reason?: string;
}

export interface FrontObserver {
  /** Called before receive is invoked. `requestId` is API Gateway's. */
  arrived(requestId: string): void;
  answered(webhook: AnsweredWebhook): void;
}

export interface FrontOptions {
  readonly receive: ReceiveHandler;
  /** Milliseconds that an invocation may take. */
  readonly timeout: number;
  /** Where everything is. This is the answer to `GET /`. */
  readonly places: LocalPlaces;
  /** undefined = the calls go to another endpoint. */
  readonly segment: SegmentSwitch | undefined;
  /** @default - none */
  readonly observer?: FrontObserver | undefined;
}

/** API Gateway's HTTP API with its one route. The local run has two more routes, which answer this machine only. */
export function createFront(options: FrontOptions): RequestListener {
  const { places, segment } = options;
  return async (request, response) => {
    const url = new URL(request.url ?? "/", "http://local");
    const route = `${request.method} ${url.pathname}`;
    if (route === "GET /") {
      if (isOfThisMachine(request)) return json(response, 200, places);
      return text(response, 200, "flagsmith-to-segment: Flagsmith's webhook belongs at /webhook");
    }
    if (route === "POST /segment") {
      const [status, said] = switchSegment(request, segment, url.searchParams.get("mode"));
      return text(response, status, said);
    }
    await answerWebhook(options, request, response, url);
  };
}

/** Turns the request into an event without touching a byte of the body, and the result into an answer. */
async function answerWebhook(
  options: FrontOptions,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const atMs = Date.now();
  const body = await bodyOf(request).catch(() => undefined);
  if (body === undefined) return; // the client gave up
  // 11 random bytes look like API Gateway's own ids: 15 characters of base64 and an equals sign.
  const requestId = randomBytes(11).toString("base64").replaceAll("/", "-").replaceAll("+", "_");
  const invocationId = randomBytes(8).toString("hex");
  options.observer?.arrived(requestId);
  const { status, headers, answer, reason } = await resultOf(options, request, { url, body, requestId, invocationId, atMs });
  // Log entries about the webhook's messages are shown after this.
  options.observer?.answered({ atMs, requestId, invocationId, status, body, ...(reason === undefined ? {} : { reason }) });
  response.writeHead(status, headers).end(answer);
}

interface WebhookRequest {
  readonly url: URL;
  readonly body: Buffer;
  readonly requestId: string;
  readonly invocationId: string;
  readonly atMs: number;
}

interface Result {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly answer: string;
  readonly reason?: string;
}

async function resultOf(options: FrontOptions, request: IncomingMessage, webhook: WebhookRequest): Promise<Result> {
  const { method, socket } = request;
  const { url, body, requestId, invocationId, atMs: at } = webhook;
  if (method !== "POST" || url.pathname !== "/webhook") {
    return gatewayError(404, "Not Found", `${method} ${url.pathname}: the webhook is POST /webhook`);
  }
  const given = Object.entries(request.headersDistinct).map(([name, values]) => [name, values?.join(",")]);
  const headers = Object.fromEntries(given);
  const query = url.search.slice(1);
  const sourceIp = socket.remoteAddress ?? "";
  const event = apiGatewayEvent({ path: url.pathname, query, headers, body, sourceIp, requestId, at });
  if (Buffer.byteLength(event.body ?? "") > MAX_EVENT_BYTES) {
    return gatewayError(413, "Request Entity Too Large", "the body exceeds the 6 MB that Lambda takes");
  }
  try {
    return await invoke(options, event, invocationId);
  } catch (error) {
    console.error(error);
    return gatewayError(500, "Internal Server Error", "receive failed");
  }
}

async function invoke({ receive, timeout }: FrontOptions, event: unknown, awsRequestId: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`receive took longer than its ${timeout} ms`)), timeout);
  });
  try {
    const { statusCode: status = 200, headers = {}, body = "" } = await Promise.race([receive(event, { awsRequestId }), late]);
    const answered = Object.entries(headers).map(([name, value]) => [name, String(value)]);
    return { status, headers: Object.fromEntries(answered), answer: body };
  } finally {
    clearTimeout(timer);
  }
}

function gatewayError(status: number, message: string, reason: string): Result {
  return { status, headers: { "content-type": "application/json" }, answer: JSON.stringify({ message }), reason };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(`${body}\n`);
}
