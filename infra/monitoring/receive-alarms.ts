import { MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import { type AlarmRule, lines, ONE_CALL_THAT_WAITS } from "./alarms";
import type { MetricName } from "./metrics";

/** Of one event by Flagsmith: fewer wrong signatures are a stranger's. */
const TRIES = 3;

/** Lines of that metric, in % of all webhooks. Receive was invoked whenever there is such a line. */
function shareOf(name: MetricName): AlarmRule["metric"] {
  return (pipeline, period) =>
    new MathExpression({
      label: `${name}, % of webhooks`,
      expression: `IF(lines >= ${TRIES}, 100 * lines / all, 0)`,
      period,
      usingMetrics: {
        lines: pipeline.metric(name, { period }),
        all: pipeline.receiveAlias.metricInvocations({ period, statistic: "Sum" }),
      },
    });
}

/** What is refused here is lost: Flagsmith tries three times within seconds. */
export const RECEIVE_ALARMS: readonly AlarmRule[] = [
  {
    id: "Unavailable",
    title: "Unavailable",
    severity: "loss",
    impact: "Webhooks are answered with 503. Flagsmith tries three times within seconds, then the evaluation is gone.",
    query: "Which events failed and why",
    fix: "Run the command in the line's field remedy. With actor aws it passes by itself: see AWS's health and SSM's quota.",
    metric: lines("Unavailable"),
  },
  {
    id: "WrongSecret",
    title: "Wrong secret",
    severity: "loss",
    impact:
      "Most webhooks have a wrong signature and are refused. Flagsmith tries three times within seconds, then they are lost.",
    query: "Who sends us unsigned requests",
    fix: "Set the secret of Flagsmith's Webhook integration in the parameter, beside the old one on a line of its own.",
    metric: shareOf("WrongSignature"),
    minutes: 10,
    threshold: 50,
  },
  {
    id: "UnsignedWebhooks",
    title: "Unsigned webhooks",
    severity: "loss",
    impact:
      "For half an hour hardly anything but webhooks without a signature came. They are refused, and lost if Flagsmith's.",
    query: "Who sends us unsigned requests",
    fix: "If sourceIp is Flagsmith's, set the secret in its Webhook integration. If it is not, nothing is lost.",
    metric: shareOf("Unsigned"),
    minutes: 10,
    threshold: 90,
    // A stranger's scan of ten minutes touches two periods.
    periods: 3,
  },
  {
    id: "Invalid",
    title: "Invalid webhooks",
    severity: "loss",
    impact: "Signed webhooks are no evaluations that this release can read. They are refused with 400 and lost.",
    query: "Which events failed and why",
    fix: "Field reason names the field. After an update of Flagsmith, look for a release of flagsmith-to-segment.",
    metric: lines("Invalid"),
  },
  {
    id: "PlaceholderSecret",
    title: "Placeholder secret",
    severity: "loss",
    impact: "A parameter holds the documentation's placeholder. Without another value webhooks are refused, or calls wait.",
    query: "Which events failed and why",
    fix: "Run the command in the line's field remedy, with the real value.",
    metric: lines("PlaceholderSecret"),
    // Deliver tells of it at each attempt.
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "LogEntriesHidden",
    title: "Log entries hidden",
    severity: "loss",
    impact: "Lambda's log level drops entries of which alarms are made. Another alarm may stay silent while webhooks are lost.",
    query: "Which events failed and why",
    fix: "Set the functions' ApplicationLogLevel to INFO, or LogFormat to Text. Find the aspect or the policy that changed it.",
    metric: lines("LogHidden"),
    // Each container writes the entry once, when it starts; the alarm stays for an hour.
    periods: 12,
    datapoints: 1,
  },
  {
    id: "RefusedByApiGateway",
    title: "Refused by API Gateway",
    severity: "loss",
    impact: "API Gateway answered webhooks itself, most often 429. The access log has most of them, not all: AWS logs no more.",
    query: "What did API Gateway refuse",
    fix: "429: raise option throttle. 503 and 500: see Receive throttled and Receive fails. 413: a body exceeds 6 MB.",
    metric: lines("RefusedByApiGateway"),
  },
  {
    id: "ReceiveErrors",
    title: "Receive fails",
    severity: "loss",
    impact:
      "Function receive crashes or takes too long. Flagsmith tries three times within seconds, then the evaluation is gone.",
    query: "Which events failed and why",
    fix: "Read the error in receive's log. After a deploy, roll back.",
    metric: ({ receiveAlias }, period) => receiveAlias.metricErrors({ period, statistic: "Sum" }),
  },
  {
    id: "ReceiveThrottles",
    title: "Receive throttled",
    severity: "loss",
    impact:
      "Lambda has no room for receive: the account's concurrency, or its reservedConcurrency, is used up. Those webhooks are lost.",
    query: "What did API Gateway refuse",
    fix: "Raise the account's quota Concurrent executions, set or raise option reservedConcurrency, or lower maxConcurrency.",
    metric: ({ receiveAlias }, period) => receiveAlias.metricThrottles({ period, statistic: "Sum" }),
  },
];

/** Option `expectTraffic`: no data is the alarm. */
export const NO_TRAFFIC: AlarmRule = {
  id: "NoTraffic",
  title: "No traffic",
  severity: "loss",
  impact: "No evaluation came in for as long as option expectTraffic allows.",
  query: "What did API Gateway refuse",
  fix: "Is the Webhook integration still in Flagsmith, with this stack's WebhookUrl? Do the SDKs evaluate locally? Run doctor.",
  metric: ({ queue }, period) => queue.metricNumberOfMessagesSent({ period }),
  minutes: 60,
};
