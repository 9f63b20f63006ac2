import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { FlagsmithToSegment } from "./flagsmith-to-segment";

/** An alarm must mean something to a user, and lead to an article: its title is a heading of the README's runbook. */
export interface AlarmRule {
  readonly id: string;
  readonly title: string;
  /** What users lose. */
  readonly impact: string;
  readonly metric: IMetric;
  /** Alarms above this. */
  readonly threshold: number;
  /** Periods in a row. */
  readonly periods: number;
}

const FIVE_MINUTES = Duration.minutes(5);
const TEN_MINUTES = Duration.minutes(10);
const FIFTEEN_MINUTES = Duration.minutes(15);

/**
 * Flagsmith tries each event three times, so one event under a wrong secret is enough. Fewer wrong signatures are a stranger's,
 * and webhooks without any are not counted.
 */
const MIN_WRONG = 3;

const maximum = { period: FIVE_MINUTES, statistic: "Maximum" } as const;
const sum = { period: FIVE_MINUTES, statistic: "Sum" } as const;

export function alarmRules(road: FlagsmithToSegment): readonly AlarmRule[] {
  return [
    {
      id: "DeadLetters",
      title: "Dead letters",
      impact: "These people's flags are not in Segment, and will not be by themselves.",
      metric: road.deadLetterQueue.metricApproximateNumberOfMessagesVisible(maximum),
      threshold: 0,
      periods: 1,
    },
    {
      id: "Backlog",
      title: "Backlog",
      impact: "Segment shows flags of more than 15 minutes ago. Nothing is lost for 14 days.",
      metric: backlog(road),
      threshold: 0,
      periods: 1,
    },
    {
      id: "NothingDelivered",
      title: "Nothing delivered",
      impact: "Evaluations come in and none reaches Segment. Nothing is lost for 14 days.",
      metric: nothingDelivered(road),
      threshold: 0,
      // Two, because what is accepted at the end of one is delivered in the next.
      periods: 2,
    },
    {
      id: "WrongSecret",
      title: "Wrong secret",
      impact: "Flagsmith's webhooks are refused, and lost after three tries.",
      metric: wrongShare(road),
      threshold: 50,
      periods: 1,
    },
    {
      id: "Unavailable",
      title: "Unavailable",
      impact: "Webhooks are answered with 503, and lost after three tries.",
      metric: road.metric("Unavailable", { period: FIVE_MINUTES }),
      threshold: 0,
      periods: 1,
    },
    {
      id: "WriteKeyRefused",
      title: "Write key refused",
      impact: "Nothing reaches Segment until the key is put. Nothing is lost for 14 days.",
      metric: road.metric("WriteKeyRefused", { period: FIVE_MINUTES }),
      threshold: 0,
      periods: 1,
    },
    {
      id: "FunctionErrors",
      title: "Function errors",
      impact: "A function crashes or is throttled: webhooks may be lost, or calls be late.",
      metric: functionErrors(road),
      threshold: 0,
      periods: 1,
    },
  ];
}

/** SQS may leave messages that are received again and again out of the age; their lines tell. */
function backlog(road: FlagsmithToSegment): IMetric {
  return new MathExpression({
    label: "periods with calls of more than 15 minutes ago",
    expression: "IF((FILL(age, 0) > 900) OR (FILL(retrying, 0) > 0), 1, 0)",
    period: FIVE_MINUTES,
    usingMetrics: {
      age: road.queue.metricApproximateAgeOfOldestMessage(maximum),
      retrying: road.metric("LongRetrying", { period: FIVE_MINUTES }),
    },
  });
}

/** Unchanged calls, dry runs and dead letters are work done as well: only what stays behind is meant. */
function nothingDelivered(road: FlagsmithToSegment): IMetric {
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

function wrongShare(road: FlagsmithToSegment): IMetric {
  const options = { period: TEN_MINUTES };
  const all = ["wrong", "accepted", "ignored", "invalid", "unavailable"].map((id) => `FILL(${id}, 0)`);
  return new MathExpression({
    label: "% of webhooks with a wrong signature",
    expression: `IF(FILL(wrong, 0) >= ${MIN_WRONG}, 100 * FILL(wrong, 0) / (${all.join(" + ")}), 0)`,
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

function functionErrors(road: FlagsmithToSegment): IMetric {
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
