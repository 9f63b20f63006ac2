import { Stack } from "aws-cdk-lib";
import { FilterPattern, type ILogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { LOG_EVENTS, LOG_FIELDS, type LogEvent } from "../lambda/contract";

export type MetricSource = "receive" | "deliver";

/** One metric filter over the outcome lines of a function. The functions carry no metrics code. */
export interface MetricRule {
  readonly source: MetricSource;
  /** CloudWatch's filter pattern. */
  readonly pattern: string;
  /** 1 for each line, or the number in a field. */
  readonly value: string;
  /** Of a time in which other lines came in: a count is 0, a measurement nothing. @default - nothing */
  readonly defaultValue?: 0;
}

const { event, code, calls, latencyMs, segmentMs, traitCount, status, ageMs } = LOG_FIELDS;

const isEvent = (name: LogEvent) => `($.${event} = "${name}")`;

const count = (source: MetricSource, name: LogEvent): MetricRule => ({
  source,
  pattern: `{ ${isEvent(name)} }`,
  value: "1",
  defaultValue: 0,
});

/** A number in a field, of lines that have it. */
const measured = (source: MetricSource, name: LogEvent, field: string): MetricRule => ({
  source,
  pattern: `{ ${isEvent(name)} && ($.${field} >= 0) }`,
  value: `$.${field}`,
});

/** Metric names and where their numbers come from. No dimensions: each stack has a namespace of its own. */
export const METRICS = {
  Accepted: count("receive", LOG_EVENTS.accepted),
  Ignored: count("receive", LOG_EVENTS.ignored),
  Unauthorized: count("receive", LOG_EVENTS.unauthorized),
  Invalid: count("receive", LOG_EVENTS.invalid),
  Unavailable: count("receive", LOG_EVENTS.unavailable),
  Split: {
    ...count("receive", LOG_EVENTS.accepted),
    pattern: `{ ${isEvent(LOG_EVENTS.accepted)} && ($.${calls} > 1) }`,
  },
  WrongSignature: {
    ...count("receive", LOG_EVENTS.unauthorized),
    pattern: `{ ($.${code} = "signature-wrong") }`,
  },
  Delivered: count("deliver", LOG_EVENTS.delivered),
  Unchanged: count("deliver", LOG_EVENTS.unchanged),
  DryRun: count("deliver", LOG_EVENTS.dryRun),
  Retrying: count("deliver", LOG_EVENTS.retrying),
  /** Calls that Segment has not taken for more than 15 minutes. */
  Overdue: {
    ...count("deliver", LOG_EVENTS.retrying),
    pattern: `{ ${isEvent(LOG_EVENTS.retrying)} && ($.${ageMs} > 900000) }`,
  },
  DeadLettered: count("deliver", LOG_EVENTS.deadLettered),
  SlowedDown: { ...count("deliver", LOG_EVENTS.retrying), pattern: `{ ($.${status} = 429) }` },
  WriteKeyRefused: {
    ...count("deliver", LOG_EVENTS.retrying),
    pattern: `{ ($.${code} = "write-key-refused") }`,
  },
  LatencyMs: measured("deliver", LOG_EVENTS.delivered, latencyMs),
  SegmentMs: measured("deliver", LOG_EVENTS.delivered, segmentMs),
  TraitsPerCall: measured("deliver", LOG_EVENTS.delivered, traitCount),
} as const satisfies Readonly<Record<string, MetricRule>>;

export type MetricName = keyof typeof METRICS;

/** A filter for each row, on the log of its function. */
export function addMetricFilters(
  scope: Construct,
  logGroups: Readonly<Record<MetricSource, ILogGroup>>,
): void {
  for (const [name, rule] of Object.entries<MetricRule>(METRICS)) {
    const { source, pattern, value, defaultValue } = rule;
    new MetricFilter(scope, `Metric${name}`, {
      logGroup: logGroups[source],
      filterPattern: FilterPattern.literal(pattern),
      metricNamespace: Stack.of(scope).stackName,
      metricName: name,
      metricValue: value,
      ...(defaultValue === undefined ? {} : { defaultValue }),
    });
  }
}
