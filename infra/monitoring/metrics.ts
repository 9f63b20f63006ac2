import { Stack } from "aws-cdk-lib";
import { FilterPattern, type ILogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { FunctionName, LogEvent, LogField } from "../../lambda/names";

/** One metric filter over the outcome lines of a function. The functions carry no metrics code. */
export interface MetricRule {
  readonly source: FunctionName;
  /** CloudWatch's filter pattern. */
  readonly pattern: string;
  /** 1 for each line, or the number in a field. */
  readonly value: string;
  /** Of a time in which other lines came in: a count is 0, a measurement nothing. @default - nothing */
  readonly defaultValue?: 0;
}

/** A condition of a filter pattern. */
const where = (field: LogField, is: string) => `($.${field} ${is})`;
const isEvent = (name: LogEvent) => where("event", `= "${name}"`);

/** Lines of an event, of those that meet the condition. */
const count = (source: FunctionName, name: LogEvent, condition?: string): MetricRule => ({
  source,
  pattern: condition === undefined ? `{ ${isEvent(name)} }` : `{ ${isEvent(name)} && ${condition} }`,
  value: "1",
  defaultValue: 0,
});

/** A number in a field, of lines that have it. */
const measured = (source: FunctionName, name: LogEvent, field: LogField): MetricRule => ({
  source,
  pattern: `{ ${isEvent(name)} && ${where(field, ">= 0")} }`,
  value: `$.${field}`,
});

/** Metric names and where their numbers come from. No dimensions: each stack has a namespace of its own. */
export const METRICS = {
  Accepted: count("receive", "accepted"),
  Ignored: count("receive", "ignored"),
  /** Identities that options leave out. */
  LeftOut: count("receive", "ignored", where("code", '= "*-identity"')),
  Unauthorized: count("receive", "unauthorized"),
  Invalid: count("receive", "invalid"),
  Unavailable: count("receive", "unavailable"),
  Split: count("receive", "accepted", where("calls", "> 1")),
  WrongSignature: count("receive", "unauthorized", where("code", '= "signature-wrong"')),
  Delivered: count("deliver", "delivered"),
  /** Messages whose call was merged with others of the same person. */
  Merged: count("deliver", "merged"),
  Unchanged: count("deliver", "unchanged"),
  DryRun: count("deliver", "dry-run"),
  Retrying: count("deliver", "retrying"),
  /** Calls that Segment has not taken for more than 15 minutes. */
  Overdue: count("deliver", "retrying", where("ageMs", "> 900000")),
  DeadLettered: count("deliver", "dead-lettered"),
  SlowedDown: count("deliver", "retrying", where("status", "= 429")),
  /** A rotation, in which the new key is known a moment later, is over by the third try. */
  WriteKeyRefused: count("deliver", "retrying", `${where("code", '= "write-key-refused"')} && ${where("attempt", ">= 3")}`),
  LatencyMs: measured("deliver", "delivered", "latencyMs"),
  SegmentMs: measured("deliver", "delivered", "segmentMs"),
  TraitsPerCall: measured("deliver", "delivered", "traitCount"),
} as const satisfies Readonly<Record<string, MetricRule>>;

export type MetricName = keyof typeof METRICS;

/** A filter for each row, on the log of its function. */
export function addMetricFilters(scope: Construct, logGroups: Readonly<Record<FunctionName, ILogGroup>>): void {
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
