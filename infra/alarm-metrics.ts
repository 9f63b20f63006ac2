import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { FlagsmithToSegment } from "./flagsmith-to-segment";

const FIVE_MINUTES = Duration.minutes(5);
const TEN_MINUTES = Duration.minutes(10);
const FIFTEEN_MINUTES = Duration.minutes(15);

/** Of one event by Flagsmith: one event that is refused is enough, and fewer refusals are a stranger's. */
const TRIES = 3;

const maximum = { period: FIVE_MINUTES, statistic: "Maximum" } as const;
const sum = { period: FIVE_MINUTES, statistic: "Sum" } as const;

/** SQS may leave messages that are received again and again out of the age; their lines tell. */
export function backlog(road: FlagsmithToSegment): IMetric {
  return new MathExpression({
    label: "periods with calls of more than 15 minutes ago",
    expression: "IF((FILL(age, 0) > 900) OR (FILL(overdue, 0) > 0), 1, 0)",
    period: FIVE_MINUTES,
    usingMetrics: {
      age: road.queue.metricApproximateAgeOfOldestMessage(maximum),
      overdue: road.metric("Overdue", { period: FIVE_MINUTES }),
    },
  });
}

/** Unchanged calls, dry runs and dead letters are work done as well: only what stays behind is meant. */
export function nothingDelivered(road: FlagsmithToSegment): IMetric {
  const options = { period: FIFTEEN_MINUTES };
  const done = ["delivered", "unchanged", "dryRun", "dead"].map((id) => `FILL(${id}, 0)`).join(" + ");
  return new MathExpression({
    label: "periods with evaluations and without deliveries",
    expression: `IF((FILL(accepted, 0) > 0) AND ((${done}) == 0), 1, 0)`,
    period: FIFTEEN_MINUTES,
    usingMetrics: {
      accepted: road.metric("Accepted", options),
      delivered: road.metric("Delivered", options),
      unchanged: road.metric("Unchanged", options),
      dryRun: road.metric("DryRun", options),
      dead: road.metric("DeadLettered", options),
    },
  });
}

export function wrongShare(road: FlagsmithToSegment): IMetric {
  const options = { period: TEN_MINUTES };
  const all = ["wrong", "accepted", "ignored", "invalid", "unavailable"].map((id) => `FILL(${id}, 0)`);
  return new MathExpression({
    label: "% of webhooks with a wrong signature",
    expression: `IF(FILL(wrong, 0) >= ${TRIES}, 100 * FILL(wrong, 0) / (${all.join(" + ")}), 0)`,
    period: TEN_MINUTES,
    usingMetrics: {
      wrong: road.metric("WrongSignature", options),
      accepted: road.metric("Accepted", options),
      ignored: road.metric("Ignored", options),
      invalid: road.metric("Invalid", options),
      unavailable: road.metric("Unavailable", options),
    },
  });
}

/** Flagsmith without a secret, which nothing else tells: unsigned webhooks, and none that is accepted. */
export function unsignedOnly(road: FlagsmithToSegment): IMetric {
  const options = { period: TEN_MINUTES };
  const unsigned = "FILL(refused, 0) - FILL(wrong, 0)";
  return new MathExpression({
    label: "periods with unsigned webhooks only",
    expression: `IF((${unsigned} >= ${TRIES}) AND (FILL(accepted, 0) == 0), 1, 0)`,
    period: TEN_MINUTES,
    usingMetrics: {
      refused: road.metric("Unauthorized", options),
      wrong: road.metric("WrongSignature", options),
      accepted: road.metric("Accepted", options),
    },
  });
}

export function functionErrors(road: FlagsmithToSegment): IMetric {
  const of = (fn: LambdaFunction) => [fn.metricErrors(sum), fn.metricThrottles(sum)] as const;
  const [receiveErrors, receiveThrottles] = of(road.receive);
  const [deliverErrors, deliverThrottles] = of(road.deliver);
  return new MathExpression({
    label: "errors and throttles",
    expression:
      "FILL(receiveErrors, 0) + FILL(receiveThrottles, 0) + FILL(deliverErrors, 0) + FILL(deliverThrottles, 0)",
    period: FIVE_MINUTES,
    usingMetrics: { receiveErrors, receiveThrottles, deliverErrors, deliverThrottles },
  });
}
