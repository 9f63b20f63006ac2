import { MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import { type AlarmRule, lines, ONE_CALL_THAT_WAITS } from "./alarms";

/** Messages that fail here wait: in the queue for 12 days, then in the dead-letter queue for 14. */
export const DELIVER_ALARMS: readonly AlarmRule[] = [
  {
    id: "DeadLetters",
    title: "Dead letters",
    severity: "loss",
    impact:
      "Messages were moved to the dead-letter queue, where they are kept for 14 days. These users' flags are not in Segment.",
    query: "Which dead letters and why",
    fix: "One user only: a value of that user. Fix the reason, then redrive or delete the messages with command dead-letters.",
    metric: lines("DeadLettered"),
    // The entry comes once; the alarm stays for an hour.
    periods: 12,
    datapoints: 1,
  },
  {
    id: "DeadLettersWait",
    title: "Dead letters wait",
    severity: "delay",
    impact: "The dead-letter queue is not empty. After 14 days SQS deletes what is in it.",
    query: "Which dead letters and why",
    fix: "Command dead-letters lists the messages and, once the reason is fixed, redrives or deletes them.",
    metric: ({ deadLetterQueue }, period) =>
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: "Maximum" }),
  },
  {
    id: "NothingDelivered",
    title: "Nothing delivered",
    severity: "delay",
    impact: "Messages are queued, and none left the queue for half an hour. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "No entry of deliver: is its event source enabled (option paused), is it throttled? Otherwise the entries say why.",
    // SQS publishes both numbers, zeros too, while a queue has messages.
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
    // Two, because what is queued at the end of one is delivered in the next.
    periods: 2,
  },
  {
    id: "Backlog",
    title: "Backlog",
    severity: "delay",
    impact: "The oldest message has waited for more than 15 minutes. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Segment fails or is slow: wait. No entry of deliver: see Nothing delivered. No failure: raise option maxConcurrency.",
    metric: ({ queue }, period) => queue.metricApproximateAgeOfOldestMessage({ period, statistic: "Maximum" }),
    threshold: 900,
  },
  {
    id: "LongQueue",
    title: "Long queue",
    severity: "delay",
    impact: "60,000 messages wait. SQS looks at the first 120,000 only: beyond that one user's backlog delays all users.",
    query: "Which events failed and why",
    fix: "One user's messages: exclude that user with option identities. Many users': see Backlog and Calls fail for long.",
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
    // SQS leaves messages that were received often out of the age of the oldest; their entries show them.
    id: "Overdue",
    title: "Calls fail for long",
    severity: "delay",
    impact: "Messages have been retried for more than 15 minutes. Nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Fields code and reason say why. One user only: after three hours the message is moved to the dead-letter queue.",
    metric: lines("Overdue"),
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "WriteKeyRefused",
    title: "Write key refused",
    severity: "delay",
    impact: "Segment, or a firewall before it, answers 401 or 403. Calls wait, and nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Set the source's write key with the command in field remedy. If the key is right, look for a proxy or a firewall.",
    metric: lines("WriteKeyRefused"),
    ...ONE_CALL_THAT_WAITS,
  },
  {
    id: "EndpointRefused",
    title: "Endpoint refused",
    severity: "delay",
    impact: "The endpoint refuses calls with a 3xx, 4xx, 501 or 505. They wait, and nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "One user only: a value of that user. All users: check segmentEndpoint (404), the write key (400), a proxy or a firewall.",
    metric: lines("EndpointRefused"),
    // A proxy that restarts is no alarm; attempts may be 36 minutes apart.
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
    impact: "Deliver can't read or write what Segment has. Without reads and writes calls wait; nothing is lost for 12 days.",
    query: "Which events failed and why",
    fix: "Actor aws: wait. Actor operator: deploy again, which restores the table's rights; does the table exist?",
    metric: lines("TableFailing"),
    periods: 3,
    of: ({ deliveredTable }) => deliveredTable !== undefined,
  },
  {
    id: "BacklogMerged",
    title: "Backlog merged",
    severity: "delay",
    impact:
      "For 30 minutes a user has sent faster than Segment answers. These calls are merged, and states in between are not sent.",
    query: "Whose calls are merged",
    fix: "Is it one user, or a shared identity such as guest? Exclude a shared one: option identities.exclude.",
    metric: lines("Merged"),
    periods: 6,
    of: ({ options }) => options.mergeBacklog,
  },
];
