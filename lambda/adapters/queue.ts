import { AwsCallError } from "../domain/errors";
import { isJsonObject } from "../domain/json";
import type { AwsJson } from "./aws-json";

export interface QueueMessage {
  readonly body: string;
  /** Messages of one group are received in the order in which they were sent. */
  readonly groupId: string;
  /** Sending it again within 5 minutes stores nothing, so that a send whose answer was lost can be repeated. */
  readonly deduplicationId: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
}

/** SQS's limit for the messages of one request. */
const MAX_BATCH = 10;
/** The total that SQS takes in every region and partition is 256 KiB; the rest is room for attributes. */
const MAX_BATCH_BYTES = 256 * 1024 - MAX_BATCH * 512;

export interface Invisibility {
  readonly receiptHandle: string;
  /** Until the message can be received again. */
  readonly seconds: number;
}

/** One FIFO queue. */
export class Queue {
  readonly #sqs: Pick<AwsJson, "call">;
  readonly #url: string;

  constructor(sqs: Pick<AwsJson, "call">, url: string) {
    this.#sqs = sqs;
    this.#url = url;
  }

  /**
   * Sends the messages in order. When this returns, SQS has stored every one of them.
   *
   * @throws AwsCallError if any was not stored; earlier ones may have been.
   */
  async send(messages: readonly QueueMessage[], deadline?: number): Promise<void> {
    for (const batch of batchesOf(messages)) {
      const entries = batch.map(toEntry);
      const answer = await this.#sqs.call(
        "SendMessageBatch",
        { QueueUrl: this.#url, Entries: entries },
        deadline,
      );
      assertAll("sqs:SendMessageBatch", answer, entries.length);
    }
  }

  /**
   * Sets when up to 10 received messages come back.
   *
   * @throws AwsCallError if any was not set; it then comes back when the queue's own visibility time-out ends.
   */
  async setVisibility(messages: readonly Invisibility[]): Promise<void> {
    const entries = messages.map(({ receiptHandle, seconds }, index) => ({
      Id: String(index),
      ReceiptHandle: receiptHandle,
      VisibilityTimeout: seconds,
    }));
    const answer = await this.#sqs.call("ChangeMessageVisibilityBatch", {
      QueueUrl: this.#url,
      Entries: entries,
    });
    assertAll("sqs:ChangeMessageVisibilityBatch", answer, entries.length);
  }
}

function batchesOf(messages: readonly QueueMessage[]): readonly (readonly QueueMessage[])[] {
  const batches: QueueMessage[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = Buffer.byteLength(message.body);
    const last = batches.at(-1);
    if (last === undefined || last.length === MAX_BATCH || bytes > room) {
      batches.push([message]);
      room = MAX_BATCH_BYTES - bytes;
    } else {
      last.push(message);
      room -= bytes;
    }
  }
  return batches;
}

function toEntry(message: QueueMessage, index: number): unknown {
  const attributes = Object.entries(message.attributes).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [[name, { DataType: typeof value === "number" ? "Number" : "String", StringValue: String(value) }]],
  );
  return {
    Id: String(index),
    MessageBody: message.body,
    MessageGroupId: message.groupId,
    MessageDeduplicationId: message.deduplicationId,
    ...(attributes.length === 0 ? {} : { MessageAttributes: Object.fromEntries(attributes) }),
  };
}

/** A batch is answered with 200 even if SQS refused some of its entries. */
function assertAll(action: string, answer: unknown, sent: number): void {
  const [failure] = listOf(answer, "Failed");
  if (isJsonObject(failure)) {
    throw new AwsCallError(action, String(failure.Code), failure.SenderFault !== true);
  }
  if (listOf(answer, "Successful").length !== sent) {
    throw new AwsCallError(action, "unconfirmed", true);
  }
}

function listOf(answer: unknown, name: "Failed" | "Successful"): readonly unknown[] {
  const list = isJsonObject(answer) ? answer[name] : undefined;
  return Array.isArray(list) ? list : [];
}
