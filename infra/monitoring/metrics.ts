import { FilterPattern, type ILogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { FunctionName, LogEvent, LogField } from "../../lambda/names";

/** The source of log entries: a function, or API Gateway's access log. */
export type LogSource = FunctionName | "access";

/** A metric is the number of log entries that match. Filters on several logs may count into one metric. */
export interface MetricRule {
  readonly source: LogSource;
  /** CloudWatch's filter pattern. */
  readonly pattern: string;
}

/** A condition of a filter pattern. */
const where = (field: LogField, is: string) => `($.${field} ${is})`;
const linesOf = (source: FunctionName, event: LogEvent, ...conditions: readonly string[]): MetricRule => ({
  source,
  pattern: `{ ${[where("event", `= "${event}"`), ...conditions].join(" && ")} }`,
});
const either = (...conditions: readonly string[]): MetricRule => ({
  source: "deliver",
  pattern: `{ ${conditions.join(" || ")} }`,
});
const withCode = (source: FunctionName, code: string): MetricRule => ({
  source,
  pattern: `{ ${where("code", `= "${code}"`)} }`,
});

/**
 * Metric names and the log entries that they count. Each metric counts something that should not happen, so it usually has no data.
 * CloudWatch bills a metric by the hours in which it has data. AWS's own metrics and queries show what always happens.
 */
export const METRICS = {
  /** Identities that are skipped, by default or by an option. */
  LeftOut: [linesOf("receive", "ignored", where("code", '= "*-identity"'))],
  WrongSignature: [linesOf("receive", "unauthorized", where("code", '= "signature-wrong"'))],
  Unsigned: [linesOf("receive", "unauthorized", where("code", '= "signature-missing"'))],
  Invalid: [linesOf("receive", "invalid")],
  Unavailable: [linesOf("receive", "unavailable")],
  /** Requests that API Gateway answered itself, except with 404: those are for a path that is not the webhook's. */
  RefusedByApiGateway: [{ source: "access", pattern: '{ ($.integrationStatus = "-") && ($.status != "404") }' }],
  /** Containers whose log level drops entries. Each logs this once. */
  LogHidden: [linesOf("receive", "log-level-hides-entries"), linesOf("deliver", "log-level-hides-entries")],
  /** A parameter holds a placeholder from the documentation. Both functions log it. */
  PlaceholderSecret: [withCode("receive", "parameter-placeholder"), withCode("deliver", "parameter-placeholder")],
  /** Messages whose call was merged with others of the same user. */
  Merged: [linesOf("deliver", "merged")],
  /** Messages retried for more than 15 minutes. Messages that were not attempted do not count: they wait behind another user's 429. */
  Overdue: [linesOf("deliver", "retrying", where("ageMs", "> 900000"), where("code", '!= "not-attempted"'))],
  SlowedDown: [linesOf("deliver", "retrying", where("status", "= 429"))],
  EndpointRefused: [linesOf("deliver", "retrying", where("code", '= "endpoint-refused"'))],
  /** From the third attempt: during a rotation deliver has read the new key by then. */
  WriteKeyRefused: [linesOf("deliver", "retrying", where("code", '= "write-key-refused"'), where("attempt", ">= 3"))],
  DeadLettered: [linesOf("deliver", "dead-lettered")],
  /** A record could not be read or written, with `forward: "changes"`. */
  TableFailing: [either(where("code", '= "table-failed"'), where("event", '= "not-recorded"'))],
} as const satisfies Readonly<Record<string, readonly MetricRule[]>>;

export type MetricName = keyof typeof METRICS;

/** Adds a filter for each rule to the log of its source. `namespace` is that of the metrics. */
export function addMetricFilters(scope: Construct, namespace: string, logs: Readonly<Record<LogSource, ILogGroup>>): void {
  for (const [metricName, rules] of Object.entries<readonly MetricRule[]>(METRICS)) {
    for (const [index, { source, pattern }] of rules.entries()) {
      new MetricFilter(scope, `Metric${metricName}${index === 0 ? "" : index + 1}`, {
        logGroup: logs[source],
        filterPattern: FilterPattern.literal(pattern),
        metricNamespace: namespace,
        metricName,
        metricValue: "1",
      });
    }
  }
}
