import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { Parameter } from "../adapters/parameter";
import type { Queue } from "../adapters/queue";
import { hashIdentity, MESSAGE_KIND, MESSAGE_VERSION, toQueueText } from "../identify-call";
import { isJsonObject } from "../json";
import type { Log } from "../log";
import type { Machine } from "../timing";
import { accepted, type Ending, failed, otherEvent, skipped, toResponse, unauthorized } from "./answers";
import { parseEvaluation } from "./evaluation";
import { type IdentifyOptions, toIdentifyCalls } from "./identify";
import { verifySignature } from "./signature";
import type { SkipReason } from "./skip";

export interface ReceiveDependencies extends Pick<Machine, "now"> {
  readonly stackName: string;
  readonly secret: Pick<Parameter, "name" | "get" | "refresh">;
  readonly mapping: IdentifyOptions;
  /** Why an identity is skipped. undefined = it is sent. */
  readonly reasonToSkip: (identity: string) => SkipReason | undefined;
  readonly queue: Pick<Queue, "send">;
  readonly log: Log;
  /** How long one webhook may wait for SSM and SQS, so that it is answered before the sender's time-out. */
  readonly budgetMs: number;
}

/** The event of a REST API or of a load balancer. Flagsmith must get an error, because otherwise the evaluation is lost silently. */
const OTHER_PAYLOAD = {
  status: "invalid",
  outcome: { event: "invalid", message: "webhook refused" },
  reason: "expected the payload of an API Gateway HTTP API, format version 2.0",
} as const;

/** The test event of the console or of a function warmer. */
const NO_REQUEST = {
  status: "ignored",
  outcome: { event: "unknown-source", message: "event ignored" },
  reason: "the event is not an HTTP API's: nothing was received",
} as const;

export type ReceiveHandler = (
  event: unknown,
  context: Pick<Context, "awsRequestId">,
) => Promise<APIGatewayProxyStructuredResultV2>;

interface Webhook extends ReturnType<typeof webhookOf> {
  /** SSM and SQS must answer before this time. Milliseconds since 1970. */
  readonly deadlineMs: number;
}

/** Verifies, parses, maps and enqueues. It answers with an error only while the sender still owns the evaluation. */
export function receiveHandler(deps: ReceiveDependencies): ReceiveHandler {
  return async (event, { awsRequestId: requestId }) => {
    if (!isFromHttpApi(event)) {
      const { reason, ...ending } = isRequest(event) ? OTHER_PAYLOAD : NO_REQUEST;
      deps.log.write({ ...ending.outcome, fields: { requestId, reason } });
      return toResponse({ event: ending.status, answer: { reason } });
    }
    const startedAtMs = deps.now();
    const webhook = { ...webhookOf(event), deadlineMs: startedAtMs + deps.budgetMs };
    const { answer, ...outcome } = await receive(deps, webhook).catch(failed);
    const { requestId: apiRequestId, body } = webhook;
    // CloudWatch bills by the byte, and the message id usually contains API Gateway's request id.
    const isKnown = "messageId" in answer && answer.messageId.includes(apiRequestId);
    const about = { requestId, apiRequestId: isKnown ? undefined : apiRequestId };
    const cost = { bytes: body.length, durationMs: deps.now() - startedAtMs };
    deps.log.write({ ...outcome, fields: { ...about, ...cost, ...outcome.fields } });
    return toResponse({ ...outcome, answer });
  };
}

async function receive(deps: ReceiveDependencies, webhook: Webhook): Promise<Ending> {
  const { body, signature, sourceIp } = webhook;
  const { name } = deps.secret;
  if (signature === undefined) return unauthorized("signature-missing", sourceIp, name);
  if (!(await verify(deps, webhook, signature))) return unauthorized("signature-wrong", sourceIp, name);
  const evaluation = parseEvaluation(body);
  if (evaluation.kind === "other") return otherEvent(evaluation.eventType);
  const code = deps.reasonToSkip(evaluation.identity);
  if (code !== undefined) return skipped(evaluation, code);
  const { stackName, mapping, queue } = deps;
  const { requestId, receivedAtMs, deadlineMs } = webhook;
  const identify = toIdentifyCalls(evaluation, { stackName, requestId, receivedAtMs }, mapping);
  const groupId = hashIdentity(evaluation.identity);
  const attributes = { kind: MESSAGE_KIND, version: MESSAGE_VERSION, environment: evaluation.environment };
  const experiments = identify.experiments && toQueueText(identify.experiments);
  const messages = identify.calls.map((call, index) => {
    // The last message has the variations, so that deliver sends all traits before them.
    const own = index === identify.calls.length - 1 ? { ...attributes, experiments } : attributes;
    return { body: toQueueText(call.body), groupId, deduplicationId: call.messageId, attributes: own };
  });
  await queue.send(messages, deadlineMs);
  return accepted(evaluation, identify);
}

/** If the signature does not match, the secret may have changed since the last read. */
async function verify(deps: ReceiveDependencies, webhook: Webhook, signature: string): Promise<boolean> {
  const { body, deadlineMs } = webhook;
  const known = await deps.secret.get(deadlineMs);
  if (verifySignature(body, signature, known)) return true;
  const current = await deps.secret.refresh(deadlineMs);
  return verifySignature(body, signature, current);
}

function isRequest(event: unknown): boolean {
  return isJsonObject(event) && isJsonObject(event.headers) && "body" in event;
}

function isFromHttpApi(event: unknown): event is APIGatewayProxyEventV2 {
  if (!isJsonObject(event) || !isJsonObject(event.headers)) return false;
  return isJsonObject(event.requestContext) && isJsonObject(event.requestContext.http);
}

/** Reads one webhook. API Gateway passes text unchanged, and other bodies in base64. */
function webhookOf(event: APIGatewayProxyEventV2) {
  const { http, requestId, timeEpoch } = event.requestContext;
  return {
    /** The exact bytes that were signed. */
    body: Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"),
    signature: event.headers["x-flagsmith-signature"],
    sourceIp: http.sourceIp,
    /** API Gateway's id, unique for each request. */
    requestId,
    /** Milliseconds since 1970. */
    receivedAtMs: timeEpoch,
  };
}
