import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import type { FlagsmithToSegment } from "../flagsmith-to-segment";

type Series = Readonly<Record<string, IMetric>>;

/** An alarm tells what users lose, and leads to an article: its title is a heading of the README's runbook. */
export interface AlarmRule {
  readonly id: string;
  readonly title: string;
  /** What users lose. */
  readonly impact: string;
  /** CloudWatch's metric math over the series. It alarms above the threshold. */
  readonly expression: string;
  /** What the expression's value is. */
  readonly label: string;
  readonly series: (pipeline: FlagsmithToSegment, period: Duration) => Series;
  /** Minutes. @default 5 */
  readonly minutes?: number;
  /** @default 0 */
  readonly threshold?: number;
  /** Periods that are looked at. @default 1 */
  readonly periods?: number;
  /** Of these, above the threshold. @default - all */
  readonly datapoints?: number;
}

/** Of one event by Flagsmith: one event that is refused is enough, and fewer refusals are a stranger's. */
const TRIES = 3;

export const ALARMS: readonly AlarmRule[] = [
  {
    id: "DeadLetters",
    title: "Dead letters",
    impact: "These people's flags are not in Segment, and will not be by themselves.",
    label: "dead-letter messages",
    expression: "FILL(dead, 0)",
    series: ({ deadLetterQueue }, period) => ({
      dead: deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: "Maximum" }),
    }),
  },
  {
    id: "Backlog",
    title: "Backlog",
    impact: "Segment shows flags of more than 15 minutes ago. Nothing is lost for 12 days.",
    label: "periods with calls of more than 15 minutes ago",
    // SQS may leave messages that are received again and again out of the age; their lines tell.
    expression: "IF((FILL(age, 0) > 900) OR (FILL(overdue, 0) > 0), 1, 0)",
    series: (pipeline, period) => ({
      age: pipeline.queue.metricApproximateAgeOfOldestMessage({ period, statistic: "Maximum" }),
      overdue: pipeline.metric("Overdue", { period }),
    }),
    // Attempts are up to 36 minutes apart, and each writes one line: one outage is one alarm.
    periods: 8,
    datapoints: 1,
  },
  {
    id: "NothingDelivered",
    title: "Nothing delivered",
    impact: "Evaluations come in and none reaches Segment. Nothing is lost for 12 days.",
    label: "periods with evaluations and without deliveries",
    // Unchanged calls, dry runs and dead-letter messages are work done as well: only what stays in the queue is meant.
    expression:
      "IF((FILL(accepted, 0) > 0) AND ((FILL(delivered, 0) + FILL(merged, 0) + FILL(unchanged, 0) + FILL(dryRun, 0) + FILL(dead, 0)) == 0), 1, 0)",
    series: (pipeline, period) => ({
      accepted: pipeline.metric("Accepted", { period }),
      delivered: pipeline.metric("Delivered", { period }),
      merged: pipeline.metric("Merged", { period }),
      unchanged: pipeline.metric("Unchanged", { period }),
      dryRun: pipeline.metric("DryRun", { period }),
      dead: pipeline.metric("DeadLettered", { period }),
    }),
    minutes: 15,
    // Two, because what is accepted at the end of one is delivered in the next.
    periods: 2,
  },
  {
    id: "WrongSecret",
    title: "Wrong secret",
    impact: "Flagsmith's webhooks are refused, and lost after three tries.",
    label: "% of webhooks with a wrong signature",
    expression: `IF(FILL(wrong, 0) >= ${TRIES}, 100 * FILL(wrong, 0) / (FILL(wrong, 0) + FILL(accepted, 0) + FILL(ignored, 0) + FILL(invalid, 0) + FILL(unavailable, 0)), 0)`,
    series: (pipeline, period) => ({
      wrong: pipeline.metric("WrongSignature", { period }),
      accepted: pipeline.metric("Accepted", { period }),
      ignored: pipeline.metric("Ignored", { period }),
      invalid: pipeline.metric("Invalid", { period }),
      unavailable: pipeline.metric("Unavailable", { period }),
    }),
    minutes: 10,
    threshold: 50,
  },
  {
    id: "UnsignedWebhooks",
    title: "Unsigned webhooks",
    impact: "Webhooks come without a signature and no others: Flagsmith's are refused, and lost after three tries.",
    label: "periods with unsigned webhooks only",
    expression: `IF((FILL(refused, 0) - FILL(wrong, 0) >= ${TRIES}) AND (FILL(accepted, 0) == 0), 1, 0)`,
    series: (pipeline, period) => ({
      refused: pipeline.metric("Unauthorized", { period }),
      wrong: pipeline.metric("WrongSignature", { period }),
      accepted: pipeline.metric("Accepted", { period }),
    }),
    minutes: 10,
    // A stranger's scan of ten minutes touches two periods.
    periods: 3,
  },
  {
    id: "Unavailable",
    title: "Unavailable",
    impact: "Webhooks are answered with 503, and lost after three tries.",
    label: "webhooks answered with 503",
    expression: "FILL(unavailable, 0)",
    series: (pipeline, period) => ({ unavailable: pipeline.metric("Unavailable", { period }) }),
  },
  {
    id: "WriteKeyRefused",
    title: "Write key refused",
    impact: "Nothing reaches Segment until the key is set. Nothing is lost for 12 days.",
    label: "calls whose key Segment refuses",
    expression: "FILL(refused, 0)",
    series: (pipeline, period) => ({ refused: pipeline.metric("WriteKeyRefused", { period }) }),
  },
  {
    id: "FunctionErrors",
    title: "Function errors",
    impact: "A function crashes or is throttled: webhooks may be lost, or calls be late.",
    label: "errors and throttles",
    expression: "FILL(receiveErrors, 0) + FILL(receiveThrottles, 0) + FILL(deliverErrors, 0) + FILL(deliverThrottles, 0)",
    series: ({ receive, deliver }, period) => {
      const sum = { period, statistic: "Sum" };
      return {
        receiveErrors: receive.metricErrors(sum),
        receiveThrottles: receive.metricThrottles(sum),
        deliverErrors: deliver.metricErrors(sum),
        deliverThrottles: deliver.metricThrottles(sum),
      };
    },
  },
];

export function metricOf({ expression, label, series, minutes = 5 }: AlarmRule, pipeline: FlagsmithToSegment): IMetric {
  const period = Duration.minutes(minutes);
  return new MathExpression({ label, expression, period, usingMetrics: series(pipeline, period) });
}
