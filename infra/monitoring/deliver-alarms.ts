import { MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import { type AlarmRule, lines, ONE_CALL_THAT_WAITS } from "./alarms";

/** What fails here waits: in the queue for 12 days, in the dead-letter queue for 14 more. */
export const DELIVER_ALARMS: readonly AlarmRule[] = [
  {
    id: "DeadLetters",
    title: "Dead letters",
    severity: "loss",
    impact: "Calls were given up as rejected, expired, unreadable or of an unknown version. They are kept for 14 days.",
    query: "Which dead letters and why",
    fix: "Fix the reason, then redrive or delete them with command dead-letters.",
    metric: lines("DeadLettered"),
    // The line comes once; the alarm stays for an hour.
    periods: 12,
    datapoints: 1,
  },
  {
    id: "DeadLettersWait",
    title: "Dead letters wait",
    severity: "delay",
    impact:
      "The dead-letter queue is not empty. A call that fails alone is there as well: one person's flags are not in Segment.",
    query: "Which dead letters and why",
    fix: "Command dead-letters lists them and, once the reason is fixed, redrives them. After 14 days SQS deletes them.",
    metric: ({ deadLetterQueue }, period) =>
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: "Maximum" }),
  },
  {
    id: "NothingDelivered",
    title: "Nothing delivered",
    severity: "delay",
    impact: "Calls are queued and none leaves the queue for half an hour. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "No line of deliver: is its event source enabled (option paused), is it throttled? Else the lines say why.",
    // SQS tells both numbers, zeros too, while a queue has messages.
    metric: ({ queue }, period) =>
      new MathExpression({
        label: "periods in which calls were queued and none left",
        expression: "IF((sent > 0) AND (deleted == 0), 1, 0)",
        period,
        usingMetrics: {
          sent: queue.metricNumberOfMessagesSent({ period }),
          deleted: queue.metricNumberOfMessagesDeleted({ period }),
        },
      }),
    minutes: 15,
    // Two, because what is queued at the end of one is delivered in the next.
    periods: 2,
  },
  {
    id: "Backlog",
    title: "Backlog",
    severity: "delay",
    impact: "The oldest waiting call is older than 15 minutes. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Segment fails or is slow: wait. No line of deliver: see Nothing delivered. All well: raise option maxConcurrency.",
    metric: ({ queue }, period) => queue.metricApproximateAgeOfOldestMessage({ period, statistic: "Maximum" }),
    threshold: 900,
  },
  {
    // SQS leaves messages that were received often out of the age of the oldest; their lines tell.
    id: "Overdue",
    title: "Calls fail for long",
    severity: "delay",
    impact: "Segment, or something before it, has not taken calls for more than 15 minutes. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Fields status and reason tell who refuses. One person only: it moves to the dead-letter queue by itself.",
    metric: lines("Overdue"),
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "WriteKeyRefused",
    title: "Write key refused",
    severity: "delay",
    impact: "Segment, or a firewall before it, answers 401 or 403 to everybody. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Set the source's write key with the command in field remedy. If the key is right, look for a proxy or a firewall.",
    metric: lines("WriteKeyRefused"),
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "EndpointRefused",
    title: "Endpoint refused",
    severity: "delay",
    impact: "The endpoint refuses calls with a 3xx, 4xx, 501 or 505: a wrong URL, a proxy or a firewall. They wait.",
    query: "Which events failed and why",
    fix: "Field status tells. 404 for all: check segmentEndpoint. One person only: a firewall dislikes a value.",
    metric: lines("EndpointRefused"),
    // A proxy that restarts is no alarm; attempts may be 36 minutes apart.
    periods: 16,
    datapoints: 2,
  },
  {
    id: "DeliverErrors",
    title: "Deliver fails",
    severity: "delay",
    impact: "Function deliver crashes or takes too long. Its calls come again after 6 minutes.",
    query: "Which events failed and why",
    fix: "Read the error in deliver's log. After a deploy, roll back.",
    metric: ({ deliver }, period) => deliver.metricErrors({ period, statistic: "Sum" }),
    // A batch that crashes comes again after 6 minutes.
    periods: 2,
    datapoints: 1,
  },
  {
    id: "TableFailing",
    title: "DynamoDB fails",
    severity: "delay",
    impact: "What Segment has is not known: calls are sent, changed or not, and come again until it is recorded.",
    query: "Which events failed and why",
    fix: "Actor aws: wait. Actor operator: deploy again, which restores the table's rights; is the table there?",
    metric: lines("TableFailing"),
    periods: 3,
    of: ({ deliveredTable }) => deliveredTable !== undefined,
  },
  {
    id: "BacklogMerged",
    title: "Backlog merged",
    severity: "delay",
    impact:
      "Somebody sends faster than Segment answers for 30 minutes: their calls are merged, and states on the way left out.",
    query: "Whose calls are merged",
    fix: "Is it one person, or a shared name such as guest? Leave the shared one out: option identities.exclude.",
    metric: lines("Merged"),
    periods: 6,
    of: ({ options }) => options.mergeBacklog,
  },
];
