import { MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import { type AlarmRule, lines, ONE_CALL_THAT_WAITS } from "./alarms";
import type { MetricName } from "./metrics";

/** Flagsmith makes three attempts per evaluation, so fewer refused webhooks in a period are not from Flagsmith. */
const TRIES = 3;

/** The metric in % of all webhooks. Whenever the metric has data, the number of invocations has data too. */
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

/** A webhook that is refused here is lost: Flagsmith makes three attempts within seconds. */
export const RECEIVE_ALARMS: readonly AlarmRule[] = [
  {
    id: "Unavailable",
    title: "Unavailable",
    severity: "loss",
    impact: "Receive answers webhooks with 503. Flagsmith makes three attempts within seconds, then the evaluation is lost.",
    query: "Which events failed and why",
    fix: "Run the command in the entry's field remedy. With actor aws, wait: check AWS's health and SSM's quota.",
    metric: lines("Unavailable"),
  },
  {
    id: "WrongSecret",
    title: "Wrong secret",
    severity: "loss",
    impact:
      "Most webhooks have a wrong signature and are refused. Flagsmith makes three attempts within seconds, then they are lost.",
    query: "Who sends us unsigned requests",
    fix: "Add the secret of Flagsmith's Webhook integration to the parameter, on a line of its own. Keep the old secret.",
    metric: shareOf("WrongSignature"),
    minutes: 10,
    threshold: 50,
  },
  {
    id: "UnsignedWebhooks",
    title: "Unsigned webhooks",
    severity: "loss",
    impact: "For half an hour almost all webhooks had no signature. They are refused. Those that Flagsmith sent are lost.",
    query: "Who sends us unsigned requests",
    fix: "If sourceIp is Flagsmith's, set the secret in its Webhook integration. Otherwise nothing is lost.",
    metric: shareOf("Unsigned"),
    minutes: 10,
    threshold: 90,
    // A stranger's scan that lasts ten minutes falls into two periods at most.
    periods: 3,
  },
  {
    id: "Invalid",
    title: "Invalid webhooks",
    severity: "loss",
    impact: "This release can't read some signed webhooks as evaluations. They are refused with 400 and lost.",
    query: "Which events failed and why",
    fix: "The entry's field reason names the wrong field. After an update of Flagsmith, look for a new release of flagsmith-to-segment.",
    metric: lines("Invalid"),
  },
  {
    id: "PlaceholderSecret",
    title: "Placeholder secret",
    severity: "loss",
    impact:
      "A parameter holds a placeholder from the documentation. Until it has a real value, webhooks are refused or calls wait.",
    query: "Which events failed and why",
    fix: "Run the command in the entry's field remedy, with the real value.",
    metric: lines("PlaceholderSecret"),
    // Deliver logs it at each attempt.
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "LogEntriesHidden",
    title: "Log entries hidden",
    severity: "loss",
    impact: "Lambda's log level drops entries that alarms count. Another alarm may stay silent while webhooks are lost.",
    query: "Which events failed and why",
    fix: "Set the functions' ApplicationLogLevel to INFO, or LogFormat to Text. Find the aspect or the policy that changed it.",
    metric: lines("LogHidden"),
    // Each container logs the entry once, when it starts. The alarm stays on for an hour.
    periods: 12,
    datapoints: 1,
  },
  {
    id: "RefusedByApiGateway",
    title: "Refused by API Gateway",
    severity: "loss",
    impact: "API Gateway answered webhooks itself, most often with 429. The access log has most of them: AWS does not log all.",
    query: "What did API Gateway refuse",
    fix: "429: raise option throttle. 503 and 500: see Receive throttled and Receive fails. 413: a body exceeds 6 MB.",
    metric: lines("RefusedByApiGateway"),
  },
  {
    id: "ReceiveErrors",
    title: "Receive fails",
    severity: "loss",
    impact:
      "Function receive crashes or takes too long. Flagsmith makes three attempts within seconds, then the evaluation is lost.",
    query: "Which events failed and why",
    fix: "Read the error in receive's log. After a deploy, roll back.",
    metric: ({ receiveAlias }, period) => receiveAlias.metricErrors({ period, statistic: "Sum" }),
  },
  {
    id: "ReceiveThrottles",
    title: "Receive throttled",
    severity: "loss",
    impact:
      "Lambda throttles receive: the account's concurrency, or receive's reservedConcurrency, is used up. These webhooks are lost.",
    query: "What did API Gateway refuse",
    fix: "Raise the account's quota Concurrent executions, set or raise option reservedConcurrency, or lower maxConcurrency.",
    metric: ({ receiveAlias }, period) => receiveAlias.metricThrottles({ period, statistic: "Sum" }),
  },
];

/** For option `expectTraffic`. This alarm fires when there is no data. */
export const NO_TRAFFIC: AlarmRule = {
  id: "NoTraffic",
  title: "No traffic",
  severity: "loss",
  impact: "No evaluation was queued for the number of hours in option expectTraffic.",
  query: "What did API Gateway refuse",
  fix: "Is the Webhook integration still in Flagsmith, with this stack's WebhookUrl? Do the SDKs evaluate locally? Run doctor.",
  metric: ({ queue }, period) => queue.metricNumberOfMessagesSent({ period }),
  minutes: 60,
};
