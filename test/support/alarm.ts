import type { Template } from "aws-cdk-lib/assertions";

/** Values by metric name, one per five minutes; undefined = no data. A metric that is not named has no data at all. */
export type Series = Readonly<Record<string, readonly (number | undefined)[]>>;

type Values = readonly (number | undefined)[];
type Properties = Readonly<Record<string, unknown>>;

const SERIES_PERIOD = 300;

const COMPARISONS: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanThreshold: (value, threshold) => value > threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
};

/** Counts how often each alarm fires within `seriesPeriods`, by its title. Alarms that do not fire are not included. */
export function alarmsOver(template: Template, series: Series, seriesPeriods: number): Readonly<Record<string, number>> {
  const counted = Object.values(template.findResources("AWS::CloudWatch::Alarm")).map(
    ({ Properties: alarm }) => [String(alarm.AlarmName).replace(/^\S+ /, ""), timesOff(alarm, series, seriesPeriods)] as const,
  );
  return Object.fromEntries(counted.filter(([, times]) => times > 0));
}

function timesOff(alarm: Properties, series: Series, seriesPeriods: number): number {
  const breaches = COMPARISONS[String(alarm.ComparisonOperator)];
  if (breaches === undefined) throw new Error(`an alarm that the evaluator does not know: ${JSON.stringify(alarm)}`);
  const [periods, datapoints] = [Number(alarm.EvaluationPeriods), Number(alarm.DatapointsToAlarm)];
  const missing = alarm.TreatMissingData === "breaching";
  const breaching = valuesOf(alarm, series, seriesPeriods).map((value) =>
    value === undefined ? missing : breaches(value, Number(alarm.Threshold)),
  );
  const off = breaching.map((_, end) => end + 1 >= datapoints && countIn(breaching, end + 1 - periods, end + 1) >= datapoints);
  return off.filter((now, index) => now && off[index - 1] !== true).length;
}

function countIn(values: readonly boolean[], from: number, to: number): number {
  return values.slice(Math.max(0, from), to).filter(Boolean).length;
}

function valuesOf(alarm: Properties, series: Series, seriesPeriods: number): Values {
  if (alarm.Metrics === undefined) return sampled(alarm, Number(alarm.Period), String(alarm.Statistic), series, seriesPeriods);
  const entries = Object.values(Object(alarm.Metrics)).map((entry) => Object(entry));
  const { Expression: expression } = entries.find((entry) => entry.Expression !== undefined) ?? {};
  const inputs = entries
    .filter((entry) => entry.MetricStat !== undefined)
    .map(({ Id: id, MetricStat: { Metric: metric, Period: period, Stat: statistic } }) => {
      return [String(id), sampled(metric, period, statistic, series, seriesPeriods)] as const;
    });
  // CDK also writes a single metric this way if it has its own period or label.
  const [[, first] = []] = inputs;
  if (expression === undefined) return first ?? [];
  const length = first?.length ?? 0;
  return Array.from({ length }, (_, index) =>
    calculate(
      expression,
      inputs.map(([id, values]) => [id, values[index]]),
    ),
  );
}

/** For example `Receive Errors` or `DeadLetterQueue ApproximateNumberOfMessagesVisible`. The pipeline's own metrics have a plain name. */
function nameOf(metric: Properties): string {
  const [dimension] = Object.values(Object(metric.Dimensions ?? [])).map((entry) => Object(entry));
  const resource = JSON.stringify(dimension?.Value ?? "");
  const known = ["DeadLetterQueue", "Queue", "Receive", "Deliver"].find((name) =>
    resource.includes(`FlagsmithToSegment${name}`),
  );
  return known === undefined ? String(metric.MetricName) : `${known} ${String(metric.MetricName)}`;
}

function sampled(metric: Properties, period: number, statistic: string, series: Series, seriesPeriods: number): Values {
  // SQS publishes its gauges each minute, so their sum would grow with the period.
  const needed = String(metric.MetricName).startsWith("Approximate") ? "Maximum" : "Sum";
  if (statistic !== needed) throw new Error(`an alarm on the ${statistic} of ${metric.MetricName}`);
  const values = series[nameOf(metric)] ?? [];
  const width = period / SERIES_PERIOD;
  return Array.from({ length: Math.ceil(seriesPeriods / width) }, (_, index) => {
    const part = values.slice(index * width, (index + 1) * width).filter((value) => value !== undefined);
    if (part.length === 0) return undefined;
    return statistic === "Maximum" ? Math.max(...part) : part.reduce((sum, value) => sum + value);
  });
}

/** The part of CloudWatch's metric math that the alarms use. Returns undefined if an input has no data. */
function calculate(expression: string, inputs: readonly (readonly [string, number | undefined])[]): number | undefined {
  if (inputs.some(([, value]) => value === undefined)) return undefined;
  const script = expression.replace(/\bAND\b/g, "&&").replace(/\bOR\b/g, "||");
  const IF = (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise);
  const names = inputs.map(([name]) => name);
  return new Function("IF", ...names, `return ${script}`)(IF, ...inputs.map(([, value]) => value));
}
