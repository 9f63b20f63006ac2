import type { DeliverHandler } from "../../lambda/deliver/deliver";
import { QUEUE_ARN, toRecord } from "./events";
import type { FifoQueue, Message } from "./fifo-queue";

export interface Invocation {
  readonly deliver: DeliverHandler;
  readonly requestId: string;
  readonly timeLeftMs: () => number;
}

/**
 * What Lambda's event source does with a batch: it invokes deliver, and deletes the messages that deliver did not report as failed.
 * `reports`: false = the invocation is killed before that.
 */
export async function invokeDeliver(
  queue: FifoQueue,
  messages: readonly Message[],
  { deliver, requestId, timeLeftMs }: Invocation,
  reports: (message: Message) => boolean = () => true,
): Promise<void> {
  const event = { Records: messages.map((message) => toRecord(message, QUEUE_ARN)) };
  const { batchItemFailures } = await deliver(event, { awsRequestId: requestId, getRemainingTimeInMillis: timeLeftMs });
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  for (const message of messages) if (!failed.has(message.id) && reports(message)) queue.delete(message.receiptHandle);
}
