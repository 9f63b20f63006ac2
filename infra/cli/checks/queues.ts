import { GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { required } from "../answer";
import type { Aws } from "../aws";
import { count } from "../command";
import type { Pipeline } from "../pipeline";
import { type Check, verdict } from "./finding";

/** The threshold of alarm Backlog. */
const OLD_SECONDS = 900;
const MINUTE_MS = 60_000;

/** Checks the messages in the two queues. */
export function queueChecks(aws: Aws, { deliver }: Pipeline): readonly Check[] {
  const { queueUrl, deadLetterQueueUrl } = deliver.config;
  const waiting: Check = {
    name: "queue",
    needs: "sqs:GetQueueAttributes on the queue",
    look: async () => verdict("ok", `${count(totalOf(await messagesIn(aws, queueUrl)), "message")} waiting or in flight`),
  };
  const oldest: Check = {
    name: "oldest message",
    needs: "cloudwatch:GetMetricStatistics",
    look: async () => {
      const ageSeconds = await oldestIn(aws, queueUrl);
      if (ageSeconds === undefined)
        return verdict("skip", "SQS published no age in the last 15 minutes, as for an empty queue");
      const fix = "infra/RUNBOOK.md, Backlog";
      return verdict(ageSeconds > OLD_SECONDS ? "warning" : "ok", `${Math.round(ageSeconds)} s old`, fix);
    },
  };
  const deadLetters: Check = {
    name: "dead letters",
    needs: "sqs:GetQueueAttributes on the dead-letter queue",
    look: async () => {
      const all = totalOf(await messagesIn(aws, deadLetterQueueUrl));
      return verdict(all === 0 ? "ok" : "warning", count(all, "message"), "command dead-letters lists them");
    },
  };
  return aws.webhookUrl === undefined ? [waiting, oldest, deadLetters] : [waiting, deadLetters];
}

export interface QueueMessages {
  readonly visible: number;
  readonly inFlight: number;
}

const totalOf = ({ visible, inFlight }: QueueMessages) => visible + inFlight;

export async function messagesIn({ sqs }: Aws, QueueUrl: string): Promise<QueueMessages> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: inFlight } = required(
    Attributes,
    "Attributes",
  );
  return {
    visible: Number(required(visible, "ApproximateNumberOfMessages")),
    inFlight: Number(required(inFlight, "ApproximateNumberOfMessagesNotVisible")),
  };
}

/** Age in seconds. undefined = SQS published no age in the last 15 minutes. */
async function oldestIn({ cloudWatch }: Aws, queueUrl: string): Promise<number | undefined> {
  const { Datapoints } = await cloudWatch.send(
    new GetMetricStatisticsCommand({
      Namespace: "AWS/SQS",
      MetricName: "ApproximateAgeOfOldestMessage",
      Dimensions: [{ Name: "QueueName", Value: queueUrl.split("/").at(-1) }],
      StartTime: new Date(Date.now() - 15 * MINUTE_MS),
      EndTime: new Date(),
      Period: 60,
      Statistics: ["Maximum"],
    }),
  );
  const points = required(Datapoints, "Datapoints");
  const newest = [...points].sort((one, other) => Number(other.Timestamp) - Number(one.Timestamp))[0];
  return newest?.Maximum;
}
