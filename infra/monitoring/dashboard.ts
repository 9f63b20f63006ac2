import { Stack } from "aws-cdk-lib";
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  MathExpression,
  SingleValueWidget,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import type { FlagsmithToSegment } from "../flagsmith-to-segment";
import { QUERIES } from "./queries";

const COLUMNS = 24;

/** One screen, read from the top: does it work, receive, deliver, what it costs, and where to ask further. */
export function addDashboard(scope: Construct, pipeline: FlagsmithToSegment): void {
  new Dashboard(scope, "Dashboard", {
    dashboardName: Stack.of(scope).stackName,
    widgets: [
      ...row("Is it working?", values(pipeline)),
      ...row("Receive", receive(pipeline)),
      ...row("Deliver", deliver(pipeline)),
      ...row("What it costs", costs(pipeline)),
      [questions(scope)],
    ],
  });
}

function row(title: string, widgets: readonly IWidget[]): IWidget[][] {
  return [[new TextWidget({ markdown: `## ${title}`, width: COLUMNS, height: 1 })], [...widgets]];
}

const single = (title: string, metric: IMetric) =>
  new SingleValueWidget({ title, metrics: [metric], width: 6, height: 3, sparkline: true });

const graph = (title: string, metrics: readonly IMetric[], width = 8) =>
  new GraphWidget({ title, left: [...metrics], width, height: 6 });

function values(pipeline: FlagsmithToSegment): readonly IWidget[] {
  return [
    single("Accepted", pipeline.metric("Accepted")),
    single("Delivered", pipeline.metric("Delivered")),
    single(
      "Age of the oldest call, s",
      pipeline.queue.metricApproximateAgeOfOldestMessage({ statistic: "Maximum", label: "oldest" }),
    ),
    single(
      "Dead letters",
      pipeline.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: "Maximum", label: "messages" }),
    ),
  ];
}

function receive(pipeline: FlagsmithToSegment): readonly IWidget[] {
  const answers = (["Accepted", "Ignored", "Unauthorized", "Invalid", "Unavailable"] as const).map((name) =>
    pipeline.metric(name),
  );
  const duration = (statistic: string) => pipeline.receive.metricDuration({ statistic, label: `receive ${statistic}` });
  return [
    graph("Answers", answers),
    graph("Time to answer, ms", [duration("p50"), duration("p99")]),
    graph("Throttled and failed", [
      pipeline.receive.metricThrottles({ label: "receive throttled" }),
      pipeline.receive.metricErrors({ label: "receive crashed" }),
      refusedByApiGateway(pipeline),
      pipeline.api.metricServerError({ statistic: "Sum", label: "answered with 5xx" }),
    ]),
  ];
}

/** Answers of API Gateway's own, most of them 429: receive and its log never see those webhooks. */
function refusedByApiGateway(pipeline: FlagsmithToSegment): IMetric {
  return new MathExpression({
    label: "refused by API Gateway",
    expression: "FILL(all, 0) - FILL(unauthorized, 0) - FILL(invalid, 0)",
    usingMetrics: {
      all: pipeline.api.metricClientError({ statistic: "Sum" }),
      unauthorized: pipeline.metric("Unauthorized"),
      invalid: pipeline.metric("Invalid"),
    },
  });
}

function deliver(pipeline: FlagsmithToSegment): readonly IWidget[] {
  const percentiles = (name: "LatencyMs" | "SegmentMs") =>
    ["p50", "p99"].map((statistic) => pipeline.metric(name, { statistic, label: `${name} ${statistic}` }));
  return [
    graph(
      "Outcomes",
      (["Delivered", "Unchanged", "Retrying", "DeadLettered"] as const).map((name) => pipeline.metric(name)),
    ),
    graph("Segment slows down or refuses", [pipeline.metric("SlowedDown"), pipeline.metric("WriteKeyRefused")]),
    graph("From Flagsmith to Segment, ms", [...percentiles("LatencyMs"), ...percentiles("SegmentMs")]),
  ];
}

function costs(pipeline: FlagsmithToSegment): readonly IWidget[] {
  const { receive, deliver, queue } = pipeline;
  const saved = new MathExpression({
    label: "calls saved, %",
    expression: "100 * FILL(unchanged, 0) / (FILL(unchanged, 0) + FILL(delivered, 0))",
    usingMetrics: { unchanged: pipeline.metric("Unchanged"), delivered: pipeline.metric("Delivered") },
  });
  return [
    graph("Invocations", [receive.metricInvocations({ label: "receive" }), deliver.metricInvocations({ label: "deliver" })], 6),
    graph(
      "Duration, ms in all",
      [
        receive.metricDuration({ statistic: "Sum", label: "receive" }),
        deliver.metricDuration({ statistic: "Sum", label: "deliver" }),
      ],
      6,
    ),
    graph("SQS messages and log bytes", [queue.metricNumberOfMessagesSent(), ...pipeline.logBytes()], 6),
    graph(
      "Calls saved; traits and splits",
      [saved, pipeline.metric("TraitsPerCall", { statistic: "Average" }), pipeline.metric("Split")],
      6,
    ),
  ];
}

/** The saved queries lie in a folder of the stack's name. */
function questions(scope: Construct): IWidget {
  const { region, stackName } = Stack.of(scope);
  const insights = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#logsV2:logs-insights`;
  const list = Object.keys(QUERIES).map((question) => `- [${question}?](${insights})`);
  return new TextWidget({
    markdown: [`## Ask further`, `Logs Insights, saved queries, folder ${stackName}:`, ...list].join("\n"),
    width: COLUMNS,
    height: 6,
  });
}
