import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { Parameters } from "../adapters/parameters";
import type { Queue } from "../adapters/queue";
import type { ReceiveConfig } from "../config";
import { MESSAGE_ATTRIBUTES } from "../contract";
import { type Evaluation, isNameless, parseEvaluation } from "../domain/evaluation";
import { hashIdentity, toIdentifyCalls, toQueueMessage } from "../domain/identify";
import { type Body, readSecrets, verifySignature } from "../domain/signature";
import type { Recorder, Telemetry } from "../telemetry";
import { type Answer, accepted, failed, ignored, otherEvent, toResponse, unauthorized } from "./answers";

export interface ReceiveDependencies {
  readonly config: Pick<ReceiveConfig, "stackName" | "webhookSecretParameter" | "identify" | "reading">;
  readonly parameters: Pick<Parameters, "get" | "refresh">;
  readonly queue: Pick<Queue, "send">;
  readonly telemetry: Telemetry;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds that one webhook may wait for others, so that it is answered before the sender gives up. */
  readonly budget: number;
}

export type ReceiveHandler = (
  event: APIGatewayProxyEventV2,
  context: Pick<Context, "awsRequestId">,
) => Promise<APIGatewayProxyStructuredResultV2>;

const SIGNATURE_HEADER = "x-flagsmith-signature";

/** Verify, parse, map, enqueue. An error is answered only while the sender still owns the event. */
export function receiveHandler(deps: ReceiveDependencies): ReceiveHandler {
  return async (event, context) => {
    const body = bodyOf(event);
    const recorder = deps.telemetry.recorder({
      requestId: context.awsRequestId,
      apiRequestId: event.requestContext.requestId,
      bytes: Buffer.byteLength(body),
    });
    const startedAt = deps.now();
    const timed: Recorder = {
      step: (text) => recorder.step(`${text} at ${deps.now() - startedAt} ms`),
      outcome: (outcome, message, fields, error) =>
        recorder.outcome(outcome, message, { durationMs: deps.now() - startedAt, ...fields }, error),
    };
    return toResponse(await receive(deps, timed, event, body));
  };
}

async function receive(
  deps: ReceiveDependencies,
  recorder: Recorder,
  event: APIGatewayProxyEventV2,
  body: Body,
): Promise<Answer> {
  const deadline = deps.now() + deps.budget;
  try {
    const header = event.headers[SIGNATURE_HEADER];
    const { sourceIp } = event.requestContext.http;
    if (header === undefined) return unauthorized(recorder, "signature-missing", sourceIp);
    if (!(await verify(deps, recorder, body, header, deadline))) {
      return unauthorized(recorder, "signature-wrong", sourceIp);
    }
    const parsed = parseEvaluation(body, deps.config.reading);
    if (parsed.kind === "other") return otherEvent(recorder, parsed.eventType);
    if (deps.config.identify.anonymousIdentities === "drop" && isNameless(parsed.identity)) {
      return ignored(recorder, "identity without a name, option anonymousIdentities is drop");
    }
    return await enqueue(deps, recorder, event, parsed, deadline);
  } catch (error) {
    return failed(recorder, error);
  }
}

/** A signature that does not fit may be of a secret that was put since the last read. */
async function verify(
  deps: ReceiveDependencies,
  recorder: Recorder,
  body: Body,
  header: string,
  deadline: number,
): Promise<boolean> {
  const { webhookSecretParameter } = deps.config;
  const known = await deps.parameters.get(webhookSecretParameter, deadline);
  recorder.step("secret known");
  if (verifySignature(body, header, readSecrets(known))) return true;
  const current = await deps.parameters.refresh(webhookSecretParameter, deadline);
  recorder.step(current === known ? "no other secret" : "another secret");
  return current !== known && verifySignature(body, header, readSecrets(current));
}

async function enqueue(
  deps: ReceiveDependencies,
  recorder: Recorder,
  event: APIGatewayProxyEventV2,
  evaluation: Evaluation,
  deadline: number,
): Promise<Answer> {
  const { requestId, timeEpoch } = event.requestContext;
  const receipt = { stackName: deps.config.stackName, requestId, receivedAt: timeEpoch };
  const mapped = toIdentifyCalls(evaluation, receipt, deps.config.identify);
  const groupId = hashIdentity(evaluation.identity);
  const attributes = { [MESSAGE_ATTRIBUTES.environment]: evaluation.environment };
  const messages = mapped.calls.map((call) => ({
    body: toQueueMessage(call),
    groupId,
    deduplicationId: call.messageId,
    attributes,
  }));
  recorder.step(`mapped to ${messages.length} calls`);
  await deps.queue.send(messages, deadline);
  recorder.step("queued");
  return accepted(recorder, evaluation, mapped);
}

/** What was signed, to the byte. API Gateway passes text as it is and all else in base64. */
function bodyOf(event: APIGatewayProxyEventV2): Body {
  const body = event.body ?? "";
  return event.isBase64Encoded ? Buffer.from(body, "base64") : body;
}
