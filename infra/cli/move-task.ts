import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  type ListMessageMoveTasksResultEntry,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { required } from "./answer";
import type { Aws } from "./aws";
import { CommandError } from "./command";

/**
 * Moves all messages back to the queue, and waits until SQS is done. Returns the number of messages moved.
 * @throws CommandError while another move is under way, or if SQS ends this one early.
 */
export async function redriveAll(aws: Aws, queueArn: string, deadLetterQueueUrl: string): Promise<number> {
  const { sqs } = aws;
  const SourceArn = await arnOf(aws, deadLetterQueueUrl);
  const newest = async (): Promise<ListMessageMoveTasksResultEntry | undefined> => {
    const { Results: tasks } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 1 }));
    return tasks?.[0];
  };
  const before = await newest();
  if (before?.Status === "RUNNING") throw new CommandError("a redrive is running already: wait until it is done");
  // SQS does not know the source queue of a message that deliver dead-lettered, so the destination is named.
  await sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn: queueArn }));
  for (;;) {
    const task = await newest();
    // SQS may list the new task late.
    const known = task !== undefined && task.StartedTimestamp !== before?.StartedTimestamp;
    const { Status: status, FailureReason: why, ApproximateNumberOfMessagesMoved: moved = 0 } = task ?? {};
    if (known && status === "COMPLETED") return moved;
    if (known && status !== "RUNNING") {
      throw new CommandError(`SQS ended the redrive after ${moved} messages: ${status}, ${why ?? "no reason"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, aws.pauseMs));
  }
}

async function arnOf({ sqs }: Aws, QueueUrl: string): Promise<string> {
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  return required(answer.Attributes?.QueueArn, "QueueArn");
}
