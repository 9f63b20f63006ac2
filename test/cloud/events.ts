import type { APIGatewayProxyEventV2, SQSEvent, SQSRecord } from "aws-lambda";
import { type ReceivedMessage, toReceivedMessages } from "../../lambda/adapters/queue";
import { hashIdentity } from "../../lambda/identify-call";
import { sign } from "../../lambda/receive/signature";
import type { Attribute, Message } from "./fifo-queue";
import { REGION } from "./server";
import { queueArn, systemAttributes } from "./sqs";

export const SECRET = "my shared secret";

/** 2026-11-23T12:00:00.000Z */
export const NOON = Date.UTC(2026, 10, 23, 12);

export interface FlagInput {
  readonly name: string;
  readonly enabled?: boolean;
  readonly value?: unknown;
}

/** A flag with the fields that Flagsmith's edge API always sends. */
export function flagPayload({ name, enabled = true, value = null }: FlagInput): object {
  return { enabled, environment: 23, feature: { id: 1, name }, feature_state_value: value };
}

export function evaluationPayload(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { identity: "user-1", flags: [flagPayload({ name: "dark_mode" })], segments: [], traits: [], ...overrides };
}

export function bytesOf(payload: unknown): Buffer {
  return Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
}

export interface WebhookInput {
  readonly body?: Buffer;
  readonly secret?: string;
  /** null = no signature header. */
  readonly signature?: string | null;
  readonly base64?: boolean;
  readonly requestId?: string;
  /** Milliseconds since 1970. @default NOON */
  readonly at?: number;
}

/** One request, as API Gateway's HTTP API sees it. */
export interface HttpRequest {
  readonly path: string;
  readonly query?: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** @default - by the content type, as API Gateway decides */
  readonly base64?: boolean;
  readonly sourceIp?: string;
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** API Gateway passes bodies of these types on as text, all others in base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml)\b|[^;]*\+(json|xml)\b)/i;

/** The event that API Gateway passes to receive (payload 2.0). */
export function apiGatewayEvent(request: HttpRequest): APIGatewayProxyEventV2 {
  const { path, query = "", headers, body, requestId, at, sourceIp = "192.0.2.1" } = request;
  const { base64 = body.length > 0 && !TEXT.test(headers["content-type"] ?? "") } = request;
  return {
    version: "2.0",
    routeKey: "POST /webhook",
    rawPath: path,
    rawQueryString: query,
    headers: { ...headers },
    requestContext: {
      accountId: "000000000000",
      apiId: "local",
      domainName: headers.host ?? "localhost",
      domainPrefix: "local",
      http: { method: "POST", path, protocol: "HTTP/1.1", sourceIp, userAgent: headers["user-agent"] ?? "" },
      requestId,
      routeKey: "POST /webhook",
      stage: "$default",
      time: new Date(at).toUTCString(),
      timeEpoch: at,
    },
    ...(body.length === 0 ? {} : { body: body.toString(base64 ? "base64" : "utf8") }),
    isBase64Encoded: base64,
  };
}

/** A signed Flagsmith webhook. */
export function webhookEvent(input: WebhookInput = {}): APIGatewayProxyEventV2 {
  const {
    body = bytesOf(evaluationPayload()),
    secret = SECRET,
    base64 = false,
    requestId = "JKJaXmPLvHcESHA=",
    at = NOON,
  } = input;
  const signature = input.signature === undefined ? sign(body, secret) : input.signature;
  const headers = { "content-type": "application/json", ...(signature === null ? {} : { "x-flagsmith-signature": signature }) };
  return apiGatewayEvent({ path: "/webhook", headers, body, base64, requestId, at });
}

export interface MessageInput {
  readonly identity?: string;
  /** The id at SQS. */
  readonly id?: string;
  /** The id at Segment. */
  readonly messageId?: string;
  readonly traits?: Readonly<Record<string, unknown>>;
  readonly body?: string;
  readonly receiveCount?: number;
  /** When SQS received it, in milliseconds since 1970. */
  readonly sentAt?: number;
  /** Place among the user's messages. @default 1 */
  readonly sequence?: number;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export function callBody(input: MessageInput = {}): string {
  return JSON.stringify({
    userId: input.identity ?? "user-1",
    context: { library: { name: "flagsmith-to-segment", version: "1.0.0" } },
    timestamp: new Date(NOON).toISOString(),
    messageId: input.messageId ?? "stack-request-1",
    traits: input.traits ?? { dark_mode: true },
  });
}

export const QUEUE_ARN = queueArn("queue.fifo");

const number = (value: number): Attribute => ({ DataType: "Number", StringValue: String(value) });

/** The message attributes that receive writes. */
export const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  kind: { DataType: "String", StringValue: "identify" },
  version: number(1),
  environment: number(23),
};

/** The record that Lambda's event source passes to deliver for a message of the queue. */
export function toRecord(message: Message, arn = QUEUE_ARN): SQSRecord {
  const attributes = Object.entries(message.attributes).map(([name, { DataType, StringValue }]) => [
    name,
    { dataType: DataType, stringValue: StringValue },
  ]);
  return {
    messageId: message.id,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: systemAttributes(message),
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    awsRegion: REGION,
  };
}

/** The record of a message that receive sent. */
export function queueRecord(input: MessageInput = {}): SQSRecord {
  const { id = "sqs-1", identity = "user-1", messageId = "stack-request-1", body = callBody(input), receiveCount = 1 } = input;
  const { sentAt = NOON, attributes = ATTRIBUTES, sequence = 1 } = input;
  const groupId = hashIdentity(identity);
  return toRecord({
    ...{ id, body, groupId, deduplicationId: messageId, attributes, sequence, sentAt, receiveCount },
    receiptHandle: `receipt-${id}`,
    visibleAt: 0,
  });
}

export function queueEvent(...records: readonly SQSRecord[]): SQSEvent {
  return { Records: [...records] };
}

/** A message as deliver reads it. */
export function receivedMessage(input: MessageInput = {}): ReceivedMessage {
  const [message] = toReceivedMessages(queueEvent(queueRecord(input)), QUEUE_ARN).messages;
  if (message === undefined) throw new Error("the record was not read");
  return message;
}
