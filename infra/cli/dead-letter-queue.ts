import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  type ListMessageMoveTasksResultEntry,
  type Message,
  ReceiveMessageCommand,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { isJsonObject, tryParseJson } from "../../lambda/json";
import type { Aws } from "./aws";
import { CommandError } from "./command";

export interface DeadLetterMessage {
  /** The product's, which Segment knows too. SQS's own if the message can't be read. */
  readonly messageId: string;
  readonly reason: string;
  readonly status: string;
  /** "" if the message can't be read. */
  readonly userId: string;
  /** Of the evaluation, in milliseconds since 1970. */
  readonly receivedAt: number;
  readonly bytes: number;
  readonly traits: unknown;
  readonly receiptHandle: string;
}

/** Messages that are listed at most. */
export const MOST = 1_000;
/** Seconds for which the messages are held: longer than reading 1,000 takes. */
const HOLD = 120;

/**
 * Shows the messages to `act`, and sets their visibility back whatever comes of it, so that nothing stays hidden. SQS FIFO gives
 * out at most 10 messages of a person at once: those behind them are counted, not seen.
 */
export async function withDeadLetters<Result>(
  aws: Aws,
  queueUrl: string,
  act: (messages: readonly DeadLetterMessage[]) => Promise<Result>,
): Promise<Result> {
  const held: DeadLetterMessage[] = [];
  try {
    for (;;) {
      const batch = await receive(aws, queueUrl);
      held.push(...batch.map(toDeadLetter));
      if (batch.length === 0 || held.length >= MOST) break;
    }
    return await act(held);
  } finally {
    await release(aws, queueUrl, held);
  }
}

async function receive({ sqs }: Aws, QueueUrl: string): Promise<readonly Message[]> {
  const { Messages: messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: HOLD,
      // Less asks a part of SQS's servers only.
      WaitTimeSeconds: 1,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    }),
  );
  return messages;
}

async function release({ sqs }: Aws, QueueUrl: string, messages: readonly DeadLetterMessage[]): Promise<void> {
  for (let index = 0; index < messages.length; index += 10) {
    const Entries = messages.slice(index, index + 10).map(({ receiptHandle: ReceiptHandle }, Id) => {
      return { Id: String(Id), ReceiptHandle, VisibilityTimeout: 0 };
    });
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  }
}

function toDeadLetter(message: Message): DeadLetterMessage {
  const {
    MessageId: ownId = "",
    Body: body = "",
    ReceiptHandle: receiptHandle = "",
    Attributes,
    MessageAttributes = {},
  } = message;
  const { reason, status, messageId } = MessageAttributes;
  const call = tryParseJson(body);
  const shared = {
    reason: reason?.StringValue ?? "moved by SQS itself",
    status: status?.StringValue ?? "",
    bytes: Buffer.byteLength(body),
    receiptHandle,
  };
  try {
    const { identity, receivedAtMs: receivedAt, messageId: id } = parseIdentifyCall(body);
    return { ...shared, messageId: id, userId: identity, receivedAt, traits: isJsonObject(call) ? call.traits : undefined };
  } catch {
    // It is listed as unreadable: that is its outcome.
    const receivedAt = Number(Attributes?.SentTimestamp);
    return { ...shared, messageId: messageId?.StringValue ?? ownId, userId: "", receivedAt, traits: undefined };
  }
}

export async function deleteDeadLetter({ sqs }: Aws, QueueUrl: string, { receiptHandle }: DeadLetterMessage): Promise<void> {
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receiptHandle }));
}

/**
 * Moves everything back to the queue, and waits until SQS is done. The number of messages moved.
 * @throws CommandError while another move is under way, or if SQS gives this one up.
 */
export async function redrive(aws: Aws, queueArn: string, deadLetterQueueUrl: string): Promise<number> {
  const { sqs } = aws;
  const SourceArn = await arnOf(aws, deadLetterQueueUrl);
  const newest = async (): Promise<ListMessageMoveTasksResultEntry | undefined> => {
    const { Results: tasks } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 1 }));
    return tasks?.[0];
  };
  const before = await newest();
  if (before?.Status === "RUNNING") throw new CommandError("a redrive is running already: wait until it is done");
  // SQS does not know where messages come from that deliver moved, so the destination is named.
  await sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn: queueArn }));
  for (;;) {
    const task = await newest();
    // The list may lag behind.
    const known = task !== undefined && task.StartedTimestamp !== before?.StartedTimestamp;
    const { Status: status, FailureReason: why, ApproximateNumberOfMessagesMoved: moved = 0 } = task ?? {};
    if (known && status === "COMPLETED") return moved;
    if (known && status !== "RUNNING") {
      throw new CommandError(`SQS ended the redrive after ${moved} messages: ${status}, ${why ?? "no reason"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, aws.pause));
  }
}

async function arnOf({ sqs }: Aws, QueueUrl: string): Promise<string> {
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  return answer.Attributes?.QueueArn ?? "";
}
