import { randomBytes } from "node:crypto";
import type { RequestListener, ServerResponse } from "node:http";
import type { LocalPlaces } from "../../infra/cli/aws";
import type { ReceiveHandler } from "../../lambda/receive/receive";
import { apiGatewayEvent } from "../cloud/events";
import { bodyOf } from "../cloud/server";

/** Lambda's limit for an event; API Gateway itself would take 10 MB. */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;

export interface FrontOptions {
  readonly receive: ReceiveHandler;
  /** Milliseconds that an invocation may take. */
  readonly timeout: number;
  /** Where everything is: what a request of `/` is answered with. */
  readonly places: LocalPlaces;
}

/** API Gateway's HTTP API with the one route: turns requests into events without touching a byte of the body. */
export function createFront({ receive, timeout, places }: FrontOptions): RequestListener {
  return async (request, response) => {
    const body = await bodyOf(request);
    const [path = "/", query = ""] = (request.url ?? "/").split("?");
    if (request.method === "GET" && path === "/") {
      return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(places));
    }
    if (request.method !== "POST" || path !== "/webhook") return answer(response, 404, "Not Found");
    const headers = Object.entries(request.headersDistinct).map(([name, values]) => [name, values?.join(",")]);
    const event = apiGatewayEvent({
      path,
      query,
      headers: Object.fromEntries(headers),
      body,
      sourceIp: request.socket.remoteAddress ?? "",
      // 11 random bytes look like API Gateway's own ids: 15 characters of base64 and an equals sign.
      requestId: randomBytes(11).toString("base64").replaceAll("/", "-").replaceAll("+", "_"),
      at: Date.now(),
    });
    if (Buffer.byteLength(event.body ?? "") > MAX_EVENT_BYTES) return answer(response, 413, "Request Entity Too Large");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`receive took longer than its ${timeout} ms`)), timeout);
    });
    try {
      const invocation = receive(event, { awsRequestId: randomBytes(8).toString("hex") });
      const { statusCode = 200, headers: given = {}, body: text } = await Promise.race([invocation, late]);
      const answered = Object.entries(given).map(([name, value]) => [name, String(value)]);
      response.writeHead(statusCode, Object.fromEntries(answered)).end(text);
    } catch (error) {
      console.error(error);
      answer(response, 500, "Internal Server Error");
    } finally {
      clearTimeout(timer);
    }
  };
}

function answer(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}
