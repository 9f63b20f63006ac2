import { FilterPattern, type ILogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { FunctionName, LogEvent, LogField } from "../../lambda/names";

/** Where entries come from: a function, or API Gateway's access log. */
export type LogSource = FunctionName | "access";

/** A metric is the number of entries that match. Filters of several logs may count into one metric. */
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
 * Metric names and the log entries that they count. Each counts something that should not happen: without such entries there is no
 * data, and CloudWatch bills a metric by the hours in which it has data. AWS's own metrics and queries show what always happens.
 */
export const METRICS = {
  /** Identities that are skipped, by default or by an option. */
  LeftOut: [linesOf("receive", "ignored", where("code", '= "*-identity"'))],
  WrongSignature: [linesOf("receive", "unauthorized", where("code", '= "signature-wrong"'))],
  Unsigned: [linesOf("receive", "unauthorized", where("code", '= "signature-missing"'))],
  Invalid: [linesOf("receive", "invalid")],
  Unavailable: [linesOf("receive", "unavailable")],
  /** Answered by API Gateway itself, but for paths that are not the webhook's. */
  RefusedByApiGateway: [{ source: "access", pattern: '{ ($.integrationStatus = "-") && ($.status != "404") }' }],
  /** Lambda's log level drops entries, once per container. */
  LogHidden: [linesOf("receive", "log-level-hides-entries"), linesOf("deliver", "log-level-hides-entries")],
  /** A parameter holds a placeholder of the documentation. Both functions log it. */
  PlaceholderSecret: [withCode("receive", "parameter-placeholder"), withCode("deliver", "parameter-placeholder")],
  /** Messages whose call was merged with others of the same user. */
  Merged: [linesOf("deliver", "merged")],
  /** Messages that are retried for more than 15 minutes. Those that were not attempted only wait behind another user's 429. */
  Overdue: [linesOf("deliver", "retrying", where("ageMs", "> 900000"), where("code", '!= "not-attempted"'))],
  SlowedDown: [linesOf("deliver", "retrying", where("status", "= 429"))],
  EndpointRefused: [linesOf("deliver", "retrying", where("code", '= "endpoint-refused"'))],
  /** A rotation, in which the new key is known a moment later, is over by the third try. */
  WriteKeyRefused: [linesOf("deliver", "retrying", where("code", '= "write-key-refused"'), where("attempt", ">= 3"))],
  DeadLettered: [linesOf("deliver", "dead-lettered")],
  /** DynamoDB did not read or write a record, with `forward: "changes"`. */
  TableFailing: [either(where("code", '= "table-failed"'), where("event", '= "not-recorded"'))],
} as const satisfies Readonly<Record<string, readonly MetricRule[]>>;

export type MetricName = keyof typeof METRICS;

/** A filter for each rule, on the log that it is about. `namespace`: of the metrics. */
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
