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
/** Of those that an option switches on: `forward: "changes"`, `mergeBacklog`, `expectTraffic`. */
type OptionalAlarm = "TableFailing" | "BacklogMerged" | "NoTraffic";

/** The alarms by construct id. */
export type Alarms = Readonly<Record<AlwaysAlarm, Alarm>> & Readonly<Partial<Record<OptionalAlarm, Alarm>>>;

/** Its description says all of this; its title is the heading of an article in RUNBOOK.md. */
export interface AlarmRule {
  readonly id: AlwaysAlarm | OptionalAlarm;
  readonly title: string;
  /** `loss`: evaluations were refused or dead-lettered, and Flagsmith does not send them again. `delay`: nothing is lost, but calls are late. */
  readonly severity: "loss" | "delay";
  readonly impact: string;
  /** The saved query to begin with. */
  readonly query: Question;
  readonly fix: string;
  /**
   * One metric, or an expression over metrics that have data whenever the alarm must fire: CloudWatch does not tell what FILL
   * makes of a metric without any.
   */
  readonly metric: (pipeline: FlagsmithToSegment, period: Duration) => IMetric;
  /** Minutes. @default 5 */
  readonly minutes?: number;
  /** It fires above it. @default 0 */
  readonly threshold?: number;
  /** Periods that are looked at. @default 1 */
  readonly periods?: number;
  /** Of these, above the threshold. @default - all */
  readonly datapoints?: number;
  /** Whether the pipeline needs it. @default - always */
  readonly of?: (pipeline: FlagsmithToSegment) => boolean;
}

/**
 * Of lines that a call writes while it waits: its attempts are up to 36 minutes apart. With fewer periods one call that waits at night
 * would set the alarm off a hundred times a day.
 */
export const ONE_CALL_THAT_WAITS = { periods: 8, datapoints: 1 } as const;

/** The lines of one metric. */
export function lines(name: MetricName): AlarmRule["metric"] {
  return (pipeline, period) => pipeline.metric(name, { period });
}

/** How CloudWatch judges the numbers. */
export function alarmProps(rule: AlarmRule, pipeline: FlagsmithToSegment, quietHours?: number) {
  const { minutes = 5, threshold = 0, periods = quietHours ?? 1, datapoints = periods } = rule;
  const quiet = quietHours !== undefined;
  return {
    metric: rule.metric(pipeline, Duration.minutes(minutes)),
    threshold,
    evaluationPeriods: periods,
    datapointsToAlarm: datapoints,
    comparisonOperator: quiet ? ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
    // A quiet night has no lines, and so no numbers.
    treatMissingData: quiet ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
  };
}
