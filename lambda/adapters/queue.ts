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

/** 8 messages of 32,000 bytes stay below 256 KiB, the total that every region of SQS takes in one request. */
const BATCH = 8;

/** Sends to one FIFO queue. */
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
  async send(messages: readonly QueueMessage[], signal?: AbortSignal): Promise<void> {
    for (let from = 0; from < messages.length; from += BATCH) {
      const entries = messages.slice(from, from + BATCH).map(toEntry);
      const answer = await this.#sqs.call(
        "SendMessageBatch",
        { QueueUrl: this.#url, Entries: entries },
        signal,
      );
      assertStored(answer, entries.length);
    }
  }
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

/** A batch is answered with 200 even if SQS refused some of its messages. */
function assertStored(answer: unknown, sent: number): void {
  const [failure] = listOf(answer, "Failed");
  if (isJsonObject(failure)) {
    throw new AwsCallError("sqs:SendMessageBatch", String(failure.Code), failure.SenderFault !== true);
  }
  if (listOf(answer, "Successful").length !== sent) {
    throw new AwsCallError("sqs:SendMessageBatch", "unconfirmed", true);
  }
}

function listOf(answer: unknown, name: "Failed" | "Successful"): readonly unknown[] {
  const list = isJsonObject(answer) ? answer[name] : undefined;
  return Array.isArray(list) ? list : [];
}
