import type { Template } from "aws-cdk-lib/assertions";

/** Numbers by metric name, one for each five minutes; undefined = no data. */
export type Series = Readonly<Record<string, readonly (number | undefined)[]>>;

const SERIES_PERIOD = 300;

type Properties = Readonly<Record<string, unknown>>;

/** How often each alarm goes off, by its title, over what CloudWatch would have seen; those that never do are left out. */
export function alarmsOver(template: Template, series: Series): Readonly<Record<string, number>> {
  const counted = Object.values(template.findResources("AWS::CloudWatch::Alarm")).map(
    ({ Properties: alarm }) => [String(alarm.AlarmName).replace(/^\S+ /, ""), timesOff(alarm, series)] as const,
  );
  return Object.fromEntries(counted.filter(([, times]) => times > 0));
}

function timesOff(alarm: Properties, series: Series): number {
  const { ComparisonOperator: operator, TreatMissingData: missing, Threshold: threshold } = alarm;
  if (operator !== "GreaterThanThreshold" || missing !== "notBreaching") {
    throw new Error(`an alarm that the evaluator does not know: ${JSON.stringify(alarm)}`);
  }
  const [periods, datapoints] = [Number(alarm.EvaluationPeriods), Number(alarm.DatapointsToAlarm)];
  const above = valuesOf(alarm, series).map((value) => value !== undefined && value > Number(threshold));
  const off = above.map((_, end) => above.slice(Math.max(0, end + 1 - periods), end + 1).filter(Boolean).length >= datapoints);
  return off.filter((now, index) => now && off[index - 1] !== true).length;
}

function valuesOf(alarm: Properties, series: Series): readonly (number | undefined)[] {
  if (alarm.Metrics === undefined) return sampled(nameOf(alarm), Number(alarm.Period), String(alarm.Statistic), series);
  const inputs = new Map<string, readonly (number | undefined)[]>();
  let expression = "";
  for (const metric of Object.values(Object(alarm.Metrics)).map((entry) => Object(entry))) {
    if (metric.Expression !== undefined) expression = metric.Expression;
    else {
      const { Metric: source, Period: period, Stat: statistic } = metric.MetricStat;
      inputs.set(metric.Id, sampled(nameOf(source), period, statistic, series));
    }
  }
  if (expression === "") return [...inputs.values()].flat();
  const length = Math.max(...[...inputs.values()].map((values) => values.length));
  return Array.from({ length }, (_, index) =>
    calculate(expression, new Map([...inputs].map(([id, values]) => [id, values[index]]))),
  );
}

/** `Receive Errors`, `DeadLetterQueue ApproximateNumberOfMessagesVisible`, or a plain name of the stack's own. */
function nameOf(metric: Properties): string {
  const [dimension] = Object.values(Object(metric.Dimensions ?? [])).map((entry) => Object(entry));
  const resource = JSON.stringify(dimension?.Value ?? "");
  const known = ["DeadLetterQueue", "Queue", "Receive", "Deliver"].find((name) =>
    resource.includes(`FlagsmithToSegment${name}`),
  );
  return known === undefined ? String(metric.MetricName) : `${known} ${String(metric.MetricName)}`;
}

function sampled(name: string, period: number, statistic: string, series: Series): readonly (number | undefined)[] {
  const values = series[name] ?? [];
  const width = period / SERIES_PERIOD;
  return Array.from({ length: Math.ceil(values.length / width) }, (_, index) => {
    const part = values.slice(index * width, (index + 1) * width).filter((value) => value !== undefined);
    if (part.length === 0) return undefined;
    return statistic === "Maximum" ? Math.max(...part) : part.reduce((sum, value) => sum + value);
  });
}

/** CloudWatch's metric math, as far as the alarms use it. */
function calculate(expression: string, inputs: ReadonlyMap<string, number | undefined>): number | undefined {
  if ([...inputs.values()].every((value) => value === undefined)) return undefined;
  const script = expression.replace(/\bAND\b/g, "&&").replace(/\bOR\b/g, "||");
  const functions = {
    FILL: (value: number | undefined, filling: number) => value ?? filling,
    IF: (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise),
  };
  const names = [...Object.keys(functions), ...inputs.keys()];
  return new Function(...names, `return ${script}`)(...Object.values(functions), ...inputs.values());
}
