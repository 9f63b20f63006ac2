import { Duration } from "aws-cdk-lib";
import { type Alarm, ComparisonOperator, type IMetric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import type { FlagsmithToSegment } from "../flagsmith-to-segment";
import type { MetricName } from "./metrics";
import type { Question } from "./queries";

/** Construct ids of the alarms that every pipeline has. */
type AlwaysAlarm =
  | "Unavailable"
  | "WrongSecret"
  | "UnsignedWebhooks"
  | "Invalid"
  | "PlaceholderSecret"
  | "LogEntriesHidden"
  | "RefusedByApiGateway"
  | "ReceiveErrors"
  | "ReceiveThrottles"
  | "DeadLetters"
  | "DeadLettersWait"
  | "NothingDelivered"
  | "Backlog"
  | "LongQueue"
  | "Overdue"
  | "WriteKeyRefused"
  | "EndpointRefused"
  | "DeliverErrors";
/** Construct ids of the alarms that need an option: `forward: "changes"`, `mergeBacklog` or `expectTraffic`. */
type OptionalAlarm = "TableFailing" | "BacklogMerged" | "NoTraffic";

/** The alarms by construct id. */
export type Alarms = Readonly<Record<AlwaysAlarm, Alarm>> & Readonly<Partial<Record<OptionalAlarm, Alarm>>>;

/** One alarm. Its description contains the texts below. Its title is the heading of an article in RUNBOOK.md. */
export interface AlarmRule {
  readonly id: AlwaysAlarm | OptionalAlarm;
  readonly title: string;
  /** `loss`: evaluations were refused or dead-lettered, and Flagsmith does not resend them. `delay`: nothing is lost, but calls are late. */
  readonly severity: "loss" | "delay";
  readonly impact: string;
  /** The saved query to run first. */
  readonly query: Question;
  readonly fix: string;
  /**
   * One metric, or an expression over metrics that have data whenever the alarm must fire. CloudWatch does not document what FILL
   * returns for a metric without data.
   */
  readonly metric: (pipeline: FlagsmithToSegment, period: Duration) => IMetric;
  /** Length of a period in minutes. @default 5 */
  readonly minutes?: number;
  /** The alarm fires above this value. @default 0 */
  readonly threshold?: number;
  /** Number of the latest periods that CloudWatch evaluates. @default 1 */
  readonly periods?: number;
  /** Number of these periods that must be above the threshold. @default - all */
  readonly datapoints?: number;
  /** Whether the pipeline needs the alarm. @default - always */
  readonly of?: (pipeline: FlagsmithToSegment) => boolean;
}

/**
 * For alarms on entries that deliver logs at each attempt of a waiting call. The attempts are up to 36 minutes apart, and 8 periods are
 * 40 minutes. With fewer periods the alarm would recover between two attempts, so one waiting call could set it off a hundred times a day.
 */
export const ONE_CALL_THAT_WAITS = { periods: 8, datapoints: 1 } as const;

/** The number of log entries that one metric counts. */
export function lines(name: MetricName): AlarmRule["metric"] {
  return (pipeline, period) => pipeline.metric(name, { period });
}

/** How CloudWatch evaluates the metric. */
export function alarmProps(rule: AlarmRule, pipeline: FlagsmithToSegment, quietHours?: number) {
  const { minutes = 5, threshold = 0, periods = quietHours ?? 1, datapoints = periods } = rule;
  const quiet = quietHours !== undefined;
  return {
    metric: rule.metric(pipeline, Duration.minutes(minutes)),
    threshold,
    evaluationPeriods: periods,
    datapointsToAlarm: datapoints,
    comparisonOperator: quiet ? ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
    // Without log entries a metric has no data.
    treatMissingData: quiet ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
  };
}
