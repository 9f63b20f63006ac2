import { CONFIG_VARIABLE } from "../../lambda/config";
import type { ControlPlaneOptions } from "./control-plane";

/** A log entry as CloudWatch Logs has it. */
export type LogLine = Readonly<Record<string, unknown>>;

/** What a test can set in CloudWatch Logs. */
export interface LogSettings {
  /** Log entries in addition to those that the functions wrote. */
  entries: readonly LogLine[];
  /** Number of entries in one answer. */
  pageSize: number;
  /** Whether every answer has the same `nextToken`. */
  repeatsToken: boolean;
  /** The log group in which a metric is counted, by the metric's name. @default - the groups of the functions and of API Gateway */
  metricFilters: Readonly<Record<string, string>> | undefined;
}

/** Answers what the commands ask CloudWatch Logs. Returns undefined for any other action. */
export function answerLogs(
  action: string,
  input: Readonly<Record<string, unknown>>,
  options: ControlPlaneOptions,
  settings: LogSettings,
): object | undefined {
  // CloudWatch's limit for a pattern.
  if (String(input.filterPattern).length > 1_024) return undefined;
  if (action === "FilterLogEvents") return filter(input, options, settings);
  return action === "DescribeMetricFilters" ? metricFilters(input, options, settings) : undefined;
}

function filter(
  { logGroupName, filterPattern, startTime, endTime, nextToken }: Readonly<Record<string, unknown>>,
  { functions, lines }: ControlPlaneOptions,
  { entries, pageSize, repeatsToken }: LogSettings,
): object {
  const name = functions.find((one) => one.logGroup === logGroupName)?.name;
  const terms = [...String(filterPattern).matchAll(/\(\$\.(\w+) = ("(?:[^"\\]|\\.)*")\)/g)].map(
    ([, field = "", value = ""]) => [field, JSON.parse(value)] as const,
  );
  const matches = (line: LogLine) =>
    terms.some(([field, value]) => {
      const found = line[field];
      return typeof found === "string" && (value.endsWith("*") ? found.startsWith(value.slice(0, -1)) : found === value);
    });
  const all = [...entries, ...lines()]
    .filter((line) => line.service === name && matches(line))
    .map((line) => ({
      message: JSON.stringify(line),
      timestamp: Date.parse(String(line.timestamp)),
      logStreamName: line.stream ?? `2026/11/27/[$LATEST]${"0".repeat(32)}`,
    }))
    .filter(({ timestamp }) => timestamp >= Number(startTime) && timestamp <= Number(endTime));
  const from = Number(nextToken ?? 0);
  const rest = all.length > from + pageSize ? { nextToken: String(from + pageSize) } : {};
  return { events: all.slice(from, from + pageSize), ...(repeatsToken ? { nextToken: "0" } : rest) };
}

/** The function whose log group each metric is counted in. */
const COUNTED_BY = { Invalid: "receive", DeadLettered: "deliver" } as const;

function metricFilters(
  { metricName, metricNamespace }: Readonly<Record<string, unknown>>,
  { functions }: ControlPlaneOptions,
  settings: LogSettings,
): object {
  const groupOf = (of: string) => functions.find(({ name }) => name === of)?.logGroup ?? "";
  const ofFunctions = Object.entries(COUNTED_BY).map(([metric, of]) => [metric, groupOf(of)]);
  const known: Readonly<Record<string, string>> = settings.metricFilters ?? {
    RefusedByApiGateway: "/aws/vendedlogs/access",
    ...Object.fromEntries(ofFunctions),
  };
  const namespaces = functions.map(({ variables }) => Object(JSON.parse(variables[CONFIG_VARIABLE] ?? "{}")).pipelineName);
  const logGroupName = namespaces.includes(metricNamespace) ? known[String(metricName)] : undefined;
  return { metricFilters: logGroupName === undefined ? [] : [{ logGroupName, filterName: "filter" }] };
}
