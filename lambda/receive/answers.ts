import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { InvalidEvaluationError } from "../errors";
import type { LogFields, Outcome } from "../log";
import type { Evaluation } from "./evaluation";
import type { IdentifyCalls } from "./identify";
import type { SkipReason } from "./skip";

/** Result of a webhook: its log entry, and the response's body without `status`. `status` is the event. */
export interface Ending extends Outcome {
  readonly event: keyof typeof STATUS_CODES;
  readonly answer: { readonly messageId: string } | { readonly reason: string };
}

/** There is no 3xx: Flagsmith counts it as a success, and the evaluation would be lost. */
const STATUS_CODES = { accepted: 202, ignored: 200, unauthorized: 401, invalid: 400, unavailable: 503 };

export function toResponse({ event: status, answer }: Pick<Ending, "event" | "answer">): APIGatewayProxyStructuredResultV2 {
  // In seconds. Flagsmith ignores the header and retries within 3 s.
  const retryAfter = status === "unavailable" ? { "retry-after": "1" } : {};
  const headers = { "content-type": "application/json", ...retryAfter };
  return { statusCode: STATUS_CODES[status], headers, body: JSON.stringify({ status, ...answer }) };
}

export function accepted(evaluation: Evaluation, identify: IdentifyCalls): Ending {
  const { calls, renamed, overwritten, cut, reservedColumns, sameColumn } = identify;
  const { messageId } = calls[0];
  const fields = {
    messageId,
    userId: evaluation.identity,
    environment: evaluation.environment,
    traitCount: calls.reduce((sum, call) => sum + call.traitCount, 0),
    calls: calls.length,
    renamed: countAndFirst(renamed),
    overwritten: countAndFirst(overwritten),
    cut: countAndFirst(cut.map(({ name, bytes }) => `${bytes} bytes ${name}`)),
    reservedColumns: countAndFirst(reservedColumns),
    sameColumn: countAndFirst(sameColumn),
  };
  return { event: "accepted", message: "queued", fields, answer: { messageId } };
}

const SKIPPED: Readonly<Record<SkipReason, string>> = {
  "placeholder-identity":
    "a broken client sends this identity for all its users; to send it, give option identities.include exactly this name",
  "unselected-identity": "option identities excludes this identity",
  "nameless-identity": "Flagsmith generated this identity, and option anonymousIdentities is drop",
};

/** An identity that is skipped. The entry names it, so that an operator can find a missing user. */
export function skipped({ identity: userId, environment }: Evaluation, code: SkipReason): Ending {
  return ignored("identity skipped", { code, reason: SKIPPED[code], userId, environment });
}

/** Types of Flagsmith's other webhooks and of its "Test your webhook" button. Other types are not logged: they may hold any text. */
const OTHER_EVENTS = ["AUDIT_LOG_CREATED", "FLAG_DELETED", "FLAG_UPDATED", "NEW_VERSION_PUBLISHED"];

export function otherEvent(eventType: string): Ending {
  const name = OTHER_EVENTS.includes(eventType) ? `, ${eventType}` : "";
  const event = `not an identity's evaluation but another Flagsmith event${name}`;
  const reason = `${event}: this URL belongs in the project's Integrations, Webhook`;
  return ignored("webhook ignored", { code: "other-event", reason });
}

function ignored(message: string, fields: LogFields & { readonly reason: string }): Ending {
  return { event: "ignored", message, fields, answer: { reason: fields.reason } };
}

const UNAUTHORIZED = {
  "signature-missing": "no X-Flagsmith-Signature: set the secret in Flagsmith's webhook integration",
  "signature-wrong": "X-Flagsmith-Signature does not match: the secret in Flagsmith differs from the parameter's",
} as const;

/** Both cases have the same answer, so that a forger learns nothing from it. The log distinguishes them. */
export function unauthorized(code: keyof typeof UNAUTHORIZED, sourceIp: string, parameter: string): Ending {
  const fields = { code, reason: UNAUTHORIZED[code], parameter, sourceIp };
  const answer = { reason: "the X-Flagsmith-Signature header is missing or wrong" };
  return { event: "unauthorized", message: "signature refused", fields, answer };
}

/** Any error before SQS has the evaluation. The sender still owns it. */
export function failed(error: unknown): Ending {
  if (error instanceof InvalidEvaluationError) {
    return { event: "invalid", message: "webhook body refused", error, answer: { reason: error.message } };
  }
  const answer = { reason: "not queued, send it again" };
  return { event: "unavailable", message: "webhook not queued, the sender keeps it", error, answer };
}

/** Example: "7: a, b, c, d, e". The number is first, because long texts are cut. undefined = there are no names. */
function countAndFirst(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `${names.length}: ${names.slice(0, 5).join(", ")}`;
}
