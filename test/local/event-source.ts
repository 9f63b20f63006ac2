import { randomBytes } from "node:crypto";
import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { SQSRecord } from "aws-lambda";
import type { DeliverHandler } from "../../lambda/deliver/deliver";
import { toRecord } from "../cloud/events";
import { FIRST_SEQUENCE } from "../cloud/sqs";

export interface EventSourceOptions {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  readonly maxConcurrency: number;
  readonly deliver: DeliverHandler;
  /** Milliseconds that an invocation may take. */
  readonly timeout: number;
}

/**
 * Lambda's event source for SQS. It receives visible messages in batches and runs several invocations at the same time. It deletes
 * the messages that an invocation did not report as failed. Failed messages are retried when their visibility timeout ends.
 */
export class EventSource {
  readonly #options: EventSourceOptions;
  readonly #stopping = new AbortController();
  readonly #invocations = new Set<Promise<void>>();
  readonly #polling: Promise<void>;

  constructor(options: EventSourceOptions) {
    this.#options = options;
    this.#polling = this.#poll();
  }

  /** Stops receiving, and waits until the running invocations end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#polling;
    await Promise.all(this.#invocations);
  }

  async #poll(): Promise<void> {
    const { maxConcurrency } = this.#options;
    while (!this.#stopping.signal.aborted) {
      if (this.#invocations.size >= maxConcurrency) await Promise.race(this.#invocations);
      const messages = await this.#receive();
      if (messages.length === 0) continue;
      const invocation = this.#invoke(messages)
        .catch((error: unknown) => console.error(error))
        .finally(() => this.#invocations.delete(invocation));
      this.#invocations.add(invocation);
    }
  }

  async #receive(): Promise<readonly Message[]> {
    const { sqs, queueUrl, batchSize } = this.#options;
    try {
      const { Messages: messages } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: batchSize,
          WaitTimeSeconds: 20,
          MessageSystemAttributeNames: ["All"],
          MessageAttributeNames: ["All"],
        }),
        { abortSignal: this.#stopping.signal },
      );
      return messages ?? [];
    } catch (error) {
      if (this.#stopping.signal.aborted) return [];
      throw error;
    }
  }

  async #invoke(messages: readonly Message[]): Promise<void> {
    const { sqs, queueUrl, queueArn, deliver, timeout } = this.#options;
    const records = messages.map((message) => recordOf(message, queueArn));
    const end = Date.now() + timeout;
    const { batchItemFailures } = await deliver(
      { Records: records },
      { awsRequestId: randomBytes(8).toString("hex"), getRemainingTimeInMillis: () => end - Date.now() },
    );
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const entries = records
      .filter(({ messageId }) => !failed.has(messageId))
      .map(({ messageId, receiptHandle }) => ({ Id: messageId, ReceiptHandle: receiptHandle }));
    if (entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
  }
}

/** Converts a message that AWS's own client received. */
function recordOf({ MessageId, ReceiptHandle, Body, Attributes, MessageAttributes }: Message, queueArn: string): SQSRecord {
  const attributes = Object.entries(MessageAttributes ?? {}).map(([name, { DataType = "String", StringValue = "" }]) => [
    name,
    { DataType, StringValue },
  ]);
  return toRecord(
    {
      id: MessageId ?? "",
      receiptHandle: ReceiptHandle ?? "",
      body: Body ?? "",
      groupId: Attributes?.MessageGroupId ?? "",
      deduplicationId: Attributes?.MessageDeduplicationId ?? "",
      attributes: Object.fromEntries(attributes),
      sequence: Number(BigInt(Attributes?.SequenceNumber ?? 0) - FIRST_SEQUENCE),
      sentAt: Number(Attributes?.SentTimestamp),
      receiveCount: Number(Attributes?.ApproximateReceiveCount),
      visibleAt: 0,
    },
    queueArn,
  );
}
