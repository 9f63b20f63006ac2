import type { APIGatewayProxyEventV2, SQSEvent, SQSRecord } from "aws-lambda";
import { hashIdentity, type IdentifyOptions } from "../../lambda/domain/identify";
import { sign } from "../../lambda/domain/signature";

export const SECRET = "my shared secret";

/** 2026-11-23T12:00:00.000Z */
export const NOON = Date.UTC(2026, 10, 23, 12);

export interface FlagInput {
  readonly name: string;
  readonly enabled?: boolean;
  readonly value?: unknown;
}

/** A flag as Flagsmith's edge API sends it at the least. */
export function flagPayload({ name, enabled = true, value = null }: FlagInput): object {
  return { enabled, environment: 23, feature: { id: 1, name }, feature_state_value: value };
}

export function evaluationPayload(
  overrides: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    identity: "user-1",
    flags: [flagPayload({ name: "dark_mode" })],
    segments: [],
    traits: [],
    ...overrides,
  };
}

export function bytesOf(payload: unknown): Buffer {
  return Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
}

export const identifyOptions: IdentifyOptions = {
  traitPrefix: "",
  traitStyle: "flagsmith",
  selectsFlag: () => true,
  selectsTrait: undefined,
  segments: false,
  anonymousIdentities: "identify",
  markActive: true,
};

export interface WebhookInput {
  readonly body?: Buffer;
  readonly secret?: string;
  /** null = no header at all. */
  readonly signature?: string | null;
  readonly base64?: boolean;
  readonly requestId?: string;
  /** Milliseconds since 1970. @default NOON */
  readonly at?: number;
}

/** What API Gateway hands to receive (payload 2.0). */
export function webhookEvent(input: WebhookInput = {}): APIGatewayProxyEventV2 {
  const body = input.body ?? bytesOf(evaluationPayload());
  const signature = input.signature === undefined ? sign(body, input.secret ?? SECRET) : input.signature;
  return {
    version: "2.0",
    routeKey: "POST /webhook",
    rawPath: "/webhook",
    rawQueryString: "",
    headers: {
      "content-type": "application/json",
      ...(signature === null ? {} : { "x-flagsmith-signature": signature }),
    },
    requestContext: {
      accountId: "123456789012",
      apiId: "api",
      domainName: "api.execute-api.us-east-1.amazonaws.com",
      domainPrefix: "api",
      http: {
        method: "POST",
        path: "/webhook",
        protocol: "HTTP/1.1",
        sourceIp: "192.0.2.1",
        userAgent: "python-requests",
      },
      requestId: input.requestId ?? "JKJaXmPLvHcESHA=",
      routeKey: "POST /webhook",
      stage: "$default",
      time: "23/Nov/2026:12:00:00 +0000",
      timeEpoch: input.at ?? NOON,
    },
    body: input.base64 ? body.toString("base64") : body.toString("utf8"),
    isBase64Encoded: input.base64 ?? false,
  };
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

/** What Lambda's event source hands to deliver. */
export function queueRecord(input: MessageInput = {}): SQSRecord {
  return {
    messageId: input.id ?? "sqs-1",
    receiptHandle: `receipt-${input.id ?? "sqs-1"}`,
    body: input.body ?? callBody(input),
    attributes: {
      ApproximateReceiveCount: String(input.receiveCount ?? 1),
      SentTimestamp: String(NOON),
      SenderId: "AIDA",
      ApproximateFirstReceiveTimestamp: String(NOON),
      MessageGroupId: hashIdentity(input.identity ?? "user-1"),
      MessageDeduplicationId: input.messageId ?? "stack-request-1",
    },
    messageAttributes: { environment: { dataType: "Number", stringValue: "23" } },
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: "arn:aws:sqs:us-east-1:123456789012:queue.fifo",
    awsRegion: "us-east-1",
  };
}

export function queueEvent(...records: readonly SQSRecord[]): SQSEvent {
  return { Records: [...records] };
}
