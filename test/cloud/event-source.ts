import type { DeliverHandler } from "../../lambda/deliver/deliver";
import { QUEUE_ARN, toRecord } from "./events";
import type { FifoQueue, Message } from "./fifo-queue";

export interface InvocationContext {
  readonly requestId: string;
  readonly timeLeftMs: () => number;
}

/** Invokes deliver with a batch, as Lambda's event source does. Returns the ids of the messages that deliver reported as failed. */
export async function invokeDeliver(
  deliver: DeliverHandler,
  messages: readonly Message[],
  { requestId, timeLeftMs }: InvocationContext,
): Promise<ReadonlySet<string>> {
  const event = { Records: messages.map((message) => toRecord(message, QUEUE_ARN)) };
  const { batchItemFailures } = await deliver(event, { awsRequestId: requestId, getRemainingTimeInMillis: timeLeftMs });
  return new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
}

/** Deletes the messages that were not reported as failed. The others become visible again when their visibility timeout ends. */
export function deleteDelivered(queue: FifoQueue, messages: readonly Message[], failed: ReadonlySet<string>): void {
  for (const { id, receiptHandle } of messages) if (!failed.has(id)) queue.delete(receiptHandle);
}
