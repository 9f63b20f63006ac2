import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { InvalidEvaluationError, ParameterError } from "../domain/errors";
import type { Evaluation } from "../domain/evaluation";
import type { IdentifyCalls } from "../domain/identify";
import type { Recorder } from "../telemetry";

/** What the sender is told; `event` of the log line and `status` of the answer are one word. */
export type Answer =
  | { readonly status: "accepted"; readonly messageId: string }
  | { readonly status: "ignored"; readonly reason: string }
  | { readonly status: "unauthorized" | "invalid" | "unavailable"; readonly reason: string };

/** Seconds after which a sender may try again; Flagsmith's own retries come within seconds. */
const RETRY_AFTER = "1";

/** The answers at the door. Never a 3xx: Flagsmith takes it for success and forgets the event. */
const STATUS_CODES: Readonly<Record<Answer["status"], number>> = {
  accepted: 202,
  ignored: 200,
  unauthorized: 401,
  invalid: 400,
  unavailable: 503,
};

export function toResponse(answer: Answer): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode: STATUS_CODES[answer.status],
    headers: {
      "content-type": "application/json",
      ...(answer.status === "unavailable" ? { "retry-after": RETRY_AFTER } : {}),
    },
    body: JSON.stringify(answer),
  };
}

/** Queued: the event is ours now. */
export function accepted(recorder: Recorder, evaluation: Evaluation, mapped: IdentifyCalls): Answer {
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

export function ignored(recorder: Recorder, reason: string): Answer {
  recorder.outcome("ignored", "webhook ignored", { reason });
  return { status: "ignored", reason };
}

/** One answer for both, so that it tells a forger nothing; the log tells them apart. */
export function unauthorized(
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

export function failed(recorder: Recorder, error: unknown): Answer {
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

export function otherEvent(recorder: Recorder, eventType: string): Answer {
  const name = OTHER_EVENTS.has(eventType) ? `, ${eventType}` : "";
  return ignored(recorder, `not an identity's evaluation but another Flagsmith event${name}`);
}

const SHOWN = 5;

/**
 * How many, and their names, as one text, which Logs Insights finds by the field's name. The number comes first, because the
 * line is cut where the names are long. undefined = nothing to say.
 */
function some(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `${names.length}: ${names.slice(0, SHOWN).join(", ")}`;
}
