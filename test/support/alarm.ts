import type { Template } from "aws-cdk-lib/assertions";

/** Numbers by metric name, one for each five minutes; undefined = no data. */
export type Series = Readonly<Record<string, readonly (number | undefined)[]>>;

const SERIES_PERIOD = 300;

type Properties = Readonly<Record<string, unknown>>;

/** Titles of the alarms that go off at some time, over what CloudWatch would have seen. */
export function alarmsOver(template: Template, series: Series): readonly string[] {
  return Object.values(template.findResources("AWS::CloudWatch::Alarm"))
    .filter(({ Properties: alarm }) => goesOff(alarm, series))
    .map(({ Properties: { AlarmName: name } }) => String(name).replace(/^\S+ /, ""));
}

function goesOff(alarm: Properties, series: Series): boolean {
  const { ComparisonOperator: operator, TreatMissingData: missing, Threshold: threshold } = alarm;
  if (operator !== "GreaterThanThreshold" || missing !== "notBreaching") {
    throw new Error(`an alarm that the evaluator does not know: ${JSON.stringify(alarm)}`);
  }
  const periods = Number(alarm.EvaluationPeriods);
  let inARow = 0;
  for (const value of valuesOf(alarm, series)) {
    inARow = value !== undefined && value > Number(threshold) ? inARow + 1 : 0;
    if (inARow >= periods) return true;
  }
  return false;
}

function valuesOf(alarm: Properties, series: Series): readonly (number | undefined)[] {
  if (alarm.Metrics === undefined)
    return sampled(nameOf(alarm), Number(alarm.Period), String(alarm.Statistic), series);
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

function sampled(
  name: string,
  period: number,
  statistic: string,
  series: Series,
): readonly (number | undefined)[] {
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
