import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import type { LogEvent } from "../../lambda/names";
import type { FlagsmithToSegment } from "../flagsmith-to-segment";
import type { MetricName } from "./metrics";
import { QUERIES, type Question } from "./queries";

export interface DashboardOptions {
  readonly dashboardName: string;
  readonly pipeline: FlagsmithToSegment;
  readonly alarms: readonly Alarm[];
  /** URL of CloudWatch Logs Insights in the console. */
  readonly insightsUrl: string;
}

const COLUMNS = 24;
const HEIGHT = 6;

/**
 * One screen, read from the top: alarms, receive, deliver, costs, and the saved queries. Events that happen all the time are counted by
 * queries over the log entries, because a query costs nothing while no one looks at it. Each graph has one unit.
 */
export function addDashboard(scope: Construct, { dashboardName, pipeline, alarms, insightsUrl }: DashboardOptions): Dashboard {
  const { deliveredTable } = pipeline;
  return new Dashboard(scope, "Dashboard", {
    dashboardName,
    widgets: [
      [new AlarmStatusWidget({ title: "Alarms", alarms: [...alarms], width: COLUMNS, height: 4 })],
      ...row("Receive", receive(pipeline)),
      ...row("Deliver", deliver(pipeline)),
      ...(deliveredTable === undefined ? [] : row("Changes only", changes(pipeline))),
      ...row("What it costs", costs(pipeline)),
      [questions(pipeline.name, insightsUrl)],
    ],
  });
}

/** A title and two rows of widgets of equal width: the first three, then the rest. */
function row(title: string, widgets: readonly ((width: number) => IWidget)[]): IWidget[][] {
  const width = Math.max(6, COLUMNS / Math.min(widgets.length, 3));
  const placed = widgets.map((widget) => widget(width));
  return [[new TextWidget({ markdown: `## ${title}`, width: COLUMNS, height: 1 })], placed.slice(0, 3), placed.slice(3)].filter(
    (line) => line.length > 0,
  );
}

const graph = (title: string, ...metrics: readonly IMetric[]) => {
  return (width: number) => new GraphWidget({ title, left: [...metrics], width, height: HEIGHT });
};

const table = LogQueryVisualizationType.TABLE;
const line = LogQueryVisualizationType.LINE;
const stacked = LogQueryVisualizationType.STACKEDAREA;

/** A query over one log group. Each part is a line of the query. */
const query = (title: string, view: LogQueryVisualizationType, logGroupName: string, ...parts: readonly string[]) => {
  const logGroupNames = [logGroupName];
  return (width: number) => new LogQueryWidget({ title, view, logGroupNames, queryLines: [...parts], width, height: HEIGHT });
};

/** One series for each event, because CloudWatch draws areas only for a query that groups by time alone. */
const outcomes = (...events: readonly LogEvent[]) => {
  const series = events.map((event) => `sum(strcontains(event, "${event}")) as ${event.replaceAll("-", "_")}`);
  return [`stats ${series.join(", ")} by bin(5m)`];
};
const asked = (title: string, question: Question) => `${title} (query: ${question})`;

function receive(pipeline: FlagsmithToSegment) {
  const { receiveAlias: own } = pipeline;
  const log = pipeline.receive.logGroup.logGroupName;
  const refused: readonly MetricName[] = ["WrongSignature", "Unsigned", "Invalid", "Unavailable", "RefusedByApiGateway"];
  const duration = (statistic: string) => own.metricDuration({ statistic, label: statistic });
  const events = outcomes("accepted", "ignored", "unauthorized", "invalid", "unavailable");
  return [
    query(asked("Webhooks by outcome", "What happened to this user's events"), stacked, log, ...events),
    graph(asked("Refused webhooks", "Which events failed and why"), ...refused.map((name) => pipeline.metric(name))),
    graph("Time to answer, ms", duration("p50"), duration("p99")),
    graph(asked("Skipped identities", "Who is left out"), pipeline.metric("LeftOut")),
    graph("Crashed and throttled", own.metricErrors({ label: "crashed" }), own.metricThrottles({ label: "throttled" })),
  ];
}

function deliver(pipeline: FlagsmithToSegment) {
  const { deliver: own, queue, deadLetterQueue, options } = pipeline;
  const log = own.logGroup.logGroupName;
  const events = outcomes("delivered", "merged", "unchanged", "dry-run", "retrying", "dead-lettered");
  const troubles: readonly MetricName[] = ["Overdue", "SlowedDown", "EndpointRefused", "WriteKeyRefused"];
  const latency = "stats pct(latencyMs, 50) as p50, pct(latencyMs, 99) as p99 by bin(5m)";
  const merged = graph(asked("Merged messages", "Whose calls are merged"), pipeline.metric("Merged"));
  const oldest = queue.metricApproximateAgeOfOldestMessage({ statistic: "Maximum", label: "oldest" });
  const dead = deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: "Maximum", label: "messages" });
  return [
    query(asked("Messages by outcome", "What happened to this user's events"), stacked, log, ...events),
    query(asked("Flagsmith to Segment, ms", "How long from Flagsmith to Segment"), line, log, "filter latencyMs >= 0", latency),
    graph("Age of the oldest waiting call, s", oldest),
    graph(asked("Not accepted by Segment", "Which events failed and why"), ...troubles.map((name) => pipeline.metric(name))),
    graph("Dead-letter queue, messages", dead, pipeline.metric("DeadLettered")),
    query(
      asked("Dead letters by reason", "Which dead letters and why"),
      table,
      log,
      ...QUERIES["Which dead letters and why"].text.split("\n| "),
    ),
    ...(options.mergeBacklog ? [merged] : []),
    graph("Crashed and throttled", own.metricErrors({ label: "crashed" }), own.metricThrottles({ label: "throttled" })),
  ];
}

function changes(pipeline: FlagsmithToSegment) {
  const { deliver: own, deliveredTable, options } = pipeline;
  const log = own.logGroup.logGroupName;
  const share = 'stats 100 * sum(strcontains(event, "unchanged")) / count(*) as saved by bin(1h)';
  const consumed = [deliveredTable?.metricConsumedReadCapacityUnits(), deliveredTable?.metricConsumedWriteCapacityUnits()];
  return [
    query(
      asked("Messages saved, %", "What did we save by changes-only"),
      line,
      log,
      'filter event in ["delivered", "merged", "unchanged"]',
      share,
    ),
    ...(options.experiments.length === 0
      ? []
      : [
          query("Events Experiment Viewed", line, log, "filter experiments > 0", "stats sum(experiments) as events by bin(1h)"),
        ]),
    graph("DynamoDB, capacity units", ...consumed.filter((used) => used !== undefined)),
    graph(asked("DynamoDB did not read or write", "Which events failed and why"), pipeline.metric("TableFailing")),
  ];
}

function costs({ receive, receiveAlias, deliver, queue, accessLogs }: FlagsmithToSegment) {
  const ofReceive = { statistic: "Sum", label: "receive" };
  const ofDeliver = { statistic: "Sum", label: "deliver" };
  return [
    graph("Invocations", receiveAlias.metricInvocations(ofReceive), deliver.metricInvocations(ofDeliver)),
    graph("Duration, ms in all", receiveAlias.metricDuration(ofReceive), deliver.metricDuration(ofDeliver)),
    graph("Messages queued", queue.metricNumberOfMessagesSent({ label: "queued" })),
    graph(
      "Log bytes",
      ...Object.entries({ receive: receive.logGroup, deliver: deliver.logGroup, access: accessLogs }).map(([label, log]) =>
        // Without this dimension, which CDK does not add, it would be the bytes of all log groups of the account.
        log.metricIncomingBytes({ label, dimensionsMap: { LogGroupName: log.logGroupName } }),
      ),
    ),
  ];
}

/** The saved queries are in a folder that has the pipeline's name. */
function questions(name: string, insightsUrl: string): IWidget {
  const list = Object.keys(QUERIES).map((question) => `- [${question}?](${insightsUrl})`);
  const markdown = ["## Ask further", `Logs Insights, saved queries, folder ${name}:`, ...list].join("\n");
  return new TextWidget({ markdown, width: COLUMNS, height: HEIGHT });
}
