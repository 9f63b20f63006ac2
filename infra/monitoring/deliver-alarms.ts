import { MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import { type AlarmRule, lines, ONE_CALL_THAT_WAITS } from "./alarms";

/** A message that fails stays in the queue for up to 12 days, then in the dead-letter queue for 14 days. */
export const DELIVER_ALARMS: readonly AlarmRule[] = [
  {
    id: "DeadLetters",
    title: "Dead letters",
    severity: "loss",
    impact: "Messages were dead-lettered. The dead-letter queue keeps them for 14 days. These users' flags are not in Segment.",
    query: "Which dead letters and why",
    fix: "If it is one user, a value of that user is the cause. Fix the cause, then redrive or delete with command dead-letters.",
    metric: lines("DeadLettered"),
    // Deliver logs the entry once. The alarm stays on for an hour.
    periods: 12,
    datapoints: 1,
  },
  {
    id: "DeadLettersWait",
    title: "Dead letters wait",
    severity: "delay",
    impact: "The dead-letter queue is not empty. SQS deletes its messages after 14 days.",
    query: "Which dead letters and why",
    fix: "Fix the cause. Command dead-letters lists the messages, and redrives or deletes them.",
    metric: ({ deadLetterQueue }, period) =>
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: "Maximum" }),
  },
  {
    id: "NothingDelivered",
    title: "Nothing delivered",
    severity: "delay",
    impact: "Messages are queued, but none has left the queue for half an hour. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "If deliver logs entries, they say why. Otherwise: is its event source enabled (option paused)? Is deliver throttled?",
    // While a queue has messages, SQS publishes both numbers, even if they are zero.
    metric: ({ queue }, period) =>
      new MathExpression({
        label: "periods in which messages were queued and none left",
        expression: "IF((sent > 0) AND (deleted == 0), 1, 0)",
        period,
        usingMetrics: {
          sent: queue.metricNumberOfMessagesSent({ period }),
          deleted: queue.metricNumberOfMessagesDeleted({ period }),
        },
      }),
    minutes: 15,
    // Two periods, because a message that is queued at the end of one period is delivered in the next.
    periods: 2,
  },
  {
    id: "Backlog",
    title: "Backlog",
    severity: "delay",
    impact: "The oldest message has waited for more than 15 minutes. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "If Segment fails or is slow, wait. If deliver logs nothing, see Nothing delivered. Otherwise raise option maxConcurrency.",
    metric: ({ queue }, period) => queue.metricApproximateAgeOfOldestMessage({ period, statistic: "Maximum" }),
    threshold: 900,
  },
  {
    id: "LongQueue",
    title: "Long queue",
    severity: "delay",
    impact: "60,000 messages wait. SQS only looks at the first 120,000: with more, one user's backlog delays all users.",
    query: "Which events failed and why",
    fix: "If most are one user's, exclude that user with option identities. Otherwise see Backlog and Calls fail for long.",
    metric: ({ queue }, period) =>
      new MathExpression({
        label: "messages, visible and in flight",
        expression: "visible + inFlight",
        period,
        usingMetrics: {
          visible: queue.metricApproximateNumberOfMessagesVisible({ period, statistic: "Maximum" }),
          inFlight: queue.metricApproximateNumberOfMessagesNotVisible({ period, statistic: "Maximum" }),
        },
      }),
    threshold: 59_999,
  },
  {
    // SQS ignores messages that were received often in the age of the oldest message. Their log entries show them.
    id: "Overdue",
    title: "Calls fail for long",
    severity: "delay",
    impact: "Messages have been retried for more than 15 minutes. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Fields code and reason say why. If only one user fails, the message is dead-lettered after three hours.",
    metric: lines("Overdue"),
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "WriteKeyRefused",
    title: "Write key refused",
    severity: "delay",
    impact: "Segment, or a firewall in front of it, answers 401 or 403. Calls wait. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Set the source's write key with the command in field remedy. If the key is right, look for a proxy or a firewall.",
    metric: lines("WriteKeyRefused"),
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "EndpointRefused",
    title: "Endpoint refused",
    severity: "delay",
    impact: "The endpoint refuses calls with a 3xx, 4xx, 501 or 505. They wait. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "If it is one user, a value of that user is the cause. Otherwise check segmentEndpoint (404), the write key (400), a proxy or a firewall.",
    metric: lines("EndpointRefused"),
    // Two of 16 periods (80 minutes), because a proxy that restarts must not set off the alarm, and attempts may be 36 minutes apart.
    periods: 16,
    datapoints: 2,
  },
  {
    id: "DeliverErrors",
    title: "Deliver fails",
    severity: "delay",
    impact: "Function deliver crashes or takes too long. Its messages are retried after 6 minutes.",
    query: "Which events failed and why",
    fix: "Read the error in deliver's log. After a deploy, roll back.",
    metric: ({ deliver }, period) => deliver.metricErrors({ period, statistic: "Sum" }),
    // A batch that crashes is retried after 6 minutes.
    periods: 2,
    datapoints: 1,
  },
  {
    id: "TableFailing",
    title: "DynamoDB fails",
    severity: "delay",
    impact: "Deliver can't read or write records in DynamoDB. Calls may wait in the queue. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "With actor aws, wait. With actor operator, do what the entry's field remedy says: the table or deliver's role was changed.",
    metric: lines("TableFailing"),
    periods: 3,
    of: ({ deliveredTable }) => deliveredTable !== undefined,
  },
  {
    id: "BacklogMerged",
    title: "Backlog merged",
    severity: "delay",
    impact:
      "For 30 minutes a user has sent faster than Segment answers. These calls are merged: states in between are not sent.",
    query: "Whose calls are merged",
    fix: "If the user is a shared identity such as guest, exclude it with option identities.exclude.",
    metric: lines("Merged"),
    periods: 6,
    of: ({ options }) => options.mergeBacklog,
  },
];
