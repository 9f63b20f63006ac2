import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import { bodyOf } from "./parameter-store";

type Receive = (
  event: APIGatewayProxyEventV2,
  context: Pick<Context, "awsRequestId">,
) => Promise<APIGatewayProxyStructuredResultV2>;

/** Lambda's limit for an event; API Gateway itself would take 10 MB. */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;

/** API Gateway hands bodies of these types on as text, all others in base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml)\b|[^;]*\+(json|xml)\b)/i;

/** API Gateway's HTTP API with the one route: turns requests into events of payload 2.0 without touching a byte of the body. */
export function createFront(receive: Receive, timeout: number): RequestListener {
  return async (request, response) => {
    const body = await bodyOf(request);
    const path = request.url?.split("?")[0];
    if (request.method !== "POST" || path !== "/webhook") return answer(response, 404, "Not Found");
    const event = toEvent(request, body);
    if (Buffer.byteLength(event.body ?? "") > MAX_EVENT_BYTES) {
      return answer(response, 413, "Request Entity Too Large");
    }
    const invocation = receive(event, { awsRequestId: randomBytes(8).toString("hex") });
    const deadline = timeoutAfter(timeout);
    try {
      const { statusCode, headers, body: text } = await Promise.race([invocation, deadline.promise]);
      response.writeHead(statusCode ?? 200, toHeaders(headers)).end(text);
    } catch (error) {
      console.error(error);
      answer(response, 500, "Internal Server Error");
    } finally {
      deadline.clear();
    }
  };
}

function toEvent(request: IncomingMessage, body: Buffer): APIGatewayProxyEventV2 {
  const [rawPath = "/", rawQueryString = ""] = (request.url ?? "/").split("?");
  const headers = Object.fromEntries(
    Object.entries(request.headersDistinct).map(([name, values]) => [name, values?.join(",")]),
  );
  const text = TEXT.test(headers["content-type"] ?? "");
  const now = Date.now();
  return {
    version: "2.0",
    routeKey: "POST /webhook",
    rawPath,
    rawQueryString,
    headers,
    requestContext: {
      accountId: "000000000000",
      apiId: "local",
      domainName: headers.host ?? "localhost",
      domainPrefix: "local",
      http: {
        method: "POST",
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "",
        userAgent: headers["user-agent"] ?? "",
      },
      // 11 random bytes look like API Gateway's own ids: 15 characters of base64 and an equals sign.
      requestId: randomBytes(11).toString("base64").replaceAll("/", "-").replaceAll("+", "_"),
      routeKey: "POST /webhook",
      stage: "$default",
      time: new Date(now).toUTCString(),
      timeEpoch: now,
    },
    ...(body.length === 0 ? {} : { body: body.toString(text ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !text,
  };
}

function toHeaders(headers: APIGatewayProxyStructuredResultV2["headers"]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));
}

function answer(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}

function timeoutAfter(milliseconds: number): {
  readonly promise: Promise<never>;
  readonly clear: () => void;
} {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`receive took longer than its ${milliseconds} ms`)),
      milliseconds,
    );
  });
  return { promise, clear: () => clearTimeout(timer) };
}
