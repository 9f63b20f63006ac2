import { GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import type { Aws } from "../aws";
import { count } from "../command";
import type { Pipeline } from "../pipeline";
import { type Check, verdict } from "./finding";

/** Seconds: as long as alarm Backlog takes. */
const OLD = 900;
const MINUTE = 60_000;

/** What waits in the two queues. */
export function queueChecks(aws: Aws, { deliver }: Pipeline): readonly Check[] {
  const { queueUrl, deadLetterQueueUrl } = deliver.config;
  return [
    {
      name: "queue",
      needs: "your credentials need sqs:GetQueueAttributes and cloudwatch:GetMetricStatistics",
      look: async () => {
        const waiting = await messagesIn(aws, queueUrl);
        const age = await oldestIn(aws, queueUrl);
        const oldest = age === undefined ? "" : `, the oldest for ${Math.round(age)} s`;
        const fix = "see the lines: saved query Which events failed and why";
        return verdict((age ?? 0) > OLD ? "warning" : "ok", `calls that wait: ${waiting}${oldest}`, fix);
      },
    },
    {
      name: "dead letters",
      needs: "your credentials need sqs:GetQueueAttributes on the dead-letter queue",
      look: async () => {
        const waiting = await messagesIn(aws, deadLetterQueueUrl);
        const fix = "command dead-letters lists them";
        return verdict(waiting === 0 ? "ok" : "warning", count(waiting, "message"), fix);
      },
    },
  ];
}

/** Those that are in flight included. */
export async function messagesIn({ sqs }: Aws, QueueUrl: string): Promise<number> {
  const { Attributes: attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  const { ApproximateNumberOfMessages = 0, ApproximateNumberOfMessagesNotVisible = 0 } = attributes;
  return Number(ApproximateNumberOfMessages) + Number(ApproximateNumberOfMessagesNotVisible);
}

/** Seconds; undefined where SQS told no number in the last 15 minutes. */
async function oldestIn({ cloudWatch }: Aws, queueUrl: string): Promise<number | undefined> {
  const { Datapoints: points = [] } = await cloudWatch.send(
    new GetMetricStatisticsCommand({
      Namespace: "AWS/SQS",
      MetricName: "ApproximateAgeOfOldestMessage",
      Dimensions: [{ Name: "QueueName", Value: queueUrl.split("/").at(-1) }],
      StartTime: new Date(Date.now() - 15 * MINUTE),
      EndTime: new Date(),
      Period: 60,
      Statistics: ["Maximum"],
    }),
  );
  const newest = [...points].sort((one, other) => Number(other.Timestamp) - Number(one.Timestamp))[0];
  return newest?.Maximum;
}
