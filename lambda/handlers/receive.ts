import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { Parameters } from "../adapters/parameters";
import type { Queue } from "../adapters/queue";
import type { ReceiveConfig } from "../config";
import { MESSAGE_ATTRIBUTES } from "../contract";
import { InvalidEvaluationError, ParameterError } from "../domain/errors";
import { type Evaluation, isNameless, parseEvaluation } from "../domain/evaluation";
import { hashIdentity, type IdentifyCalls, toIdentifyCalls, toQueueMessage } from "../domain/identify";
import { type Body, readSecrets, verifySignature } from "../domain/signature";
import type { Recorder, Telemetry } from "../telemetry";
import { type Answer, toResponse } from "./answers";

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
    if (parsed.kind === "other") return ignored(recorder, describeEvent(parsed.eventType));
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

function accepted(recorder: Recorder, evaluation: Evaluation, mapped: IdentifyCalls): Answer {
  const { calls, renamed, overwritten, cut } = mapped;
  const { messageId } = calls[0];
  recorder.outcome("accepted", "evaluation queued", {
    messageId,
    userId: evaluation.identity,
    environment: evaluation.environment,
    traitCount: calls.reduce((sum, call) => sum + call.traitCount, 0),
    calls: calls.length,
    renamed: some(renamed),
    overwritten: some(overwritten),
    cut: some(cut.map(({ name, bytes }) => `${bytes} bytes ${name}`)),
  });
  return { status: "accepted", messageId };
}

function ignored(recorder: Recorder, reason: string): Answer {
  recorder.outcome("ignored", "webhook ignored", { reason });
  return { status: "ignored", reason };
}

/** One answer for both, so that it tells a forger nothing; the log tells them apart. */
function unauthorized(
  recorder: Recorder,
  code: "signature-missing" | "signature-wrong",
  sourceIp: string,
): Answer {
  const reason =
    code === "signature-missing"
      ? "no X-Flagsmith-Signature: set the secret in Flagsmith's webhook integration"
      : "X-Flagsmith-Signature does not match: the secret in Flagsmith differs from the parameter's";
  recorder.outcome("unauthorized", "signature refused", { code, reason, sourceIp });
  return { status: "unauthorized", reason: "the X-Flagsmith-Signature header is missing or wrong" };
}

function failed(recorder: Recorder, error: unknown): Answer {
  if (error instanceof InvalidEvaluationError) {
    recorder.outcome("invalid", "webhook body refused", {}, error);
    return { status: "invalid", reason: error.message };
  }
  const { parameter, remedy } =
    error instanceof ParameterError ? error : { parameter: undefined, remedy: undefined };
  recorder.outcome("unavailable", "webhook not taken, the sender keeps it", { parameter, remedy }, error);
  return { status: "unavailable", reason: "not taken, send it again" };
}

/** Flagsmith's other webhooks, and what its "test webhook" button sends. Any other text of a body stays out of log and answer. */
const OTHER_EVENTS: ReadonlySet<string> = new Set([
  "AUDIT_LOG_CREATED",
  "FLAG_DELETED",
  "FLAG_UPDATED",
  "NEW_VERSION_PUBLISHED",
]);

function describeEvent(eventType: string): string {
  const name = OTHER_EVENTS.has(eventType) ? `, ${eventType}` : "";
  return `not an identity's evaluation but another Flagsmith event${name}`;
}

const SHOWN = 5;

/**
 * How many, and their names, as one text, which Logs Insights finds by the field's name. The number comes first, because the
 * line is cut where the names are long. undefined = nothing to say.
 */
function some(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `${names.length}: ${names.slice(0, SHOWN).join(", ")}`;
}
