import { Duration } from "aws-cdk-lib";
import type { IMetric } from "aws-cdk-lib/aws-cloudwatch";
import { backlog, functionErrors, nothingDelivered, unsignedOnly, wrongShare } from "./alarm-metrics";
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
  /** That are looked at. */
  readonly periods: number;
  /** Of these, above the threshold. @default - all */
  readonly datapoints?: number;
}

const FIVE_MINUTES = Duration.minutes(5);

export function alarmRules(road: FlagsmithToSegment): readonly AlarmRule[] {
  return [
    {
      id: "DeadLetters",
      title: "Dead letters",
      impact: "These people's flags are not in Segment, and will not be by themselves.",
      metric: road.deadLetterQueue.metricApproximateNumberOfMessagesVisible({
        period: FIVE_MINUTES,
        statistic: "Maximum",
      }),
      threshold: 0,
      periods: 1,
    },
    {
      id: "Backlog",
      title: "Backlog",
      impact: "Segment shows flags of more than 15 minutes ago. Nothing is lost for 14 days.",
      metric: backlog(road),
      threshold: 0,
      // Attempts are up to 30 minutes apart, and each writes one line: one outage is one alarm.
      periods: 8,
      datapoints: 1,
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
      id: "UnsignedWebhooks",
      title: "Unsigned webhooks",
      impact:
        "Webhooks come without a signature and no others: Flagsmith's are refused, and lost after three tries.",
      metric: unsignedOnly(road),
      threshold: 0,
      // A stranger's scan of ten minutes touches two periods.
      periods: 3,
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
