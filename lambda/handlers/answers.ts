import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";

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
