import type { SQSRecord } from "aws-lambda";
import { AwsCallError } from "../errors";
import { isJsonObject } from "../json";
import type { AwsCall } from "./aws-call";

/** A message to be sent. */
export interface OutgoingMessage {
  readonly body: string;
  /** Messages of one group are received in the order in which they were sent. */
  readonly groupId: string;
  /** Sending it again within 5 minutes stores nothing, so a send whose answer was lost can be repeated. */
  readonly deduplicationId: string;
  readonly attributes: MessageAttributes;
}

/** Attributes of the messages in both queues. */
export interface MessageAttributes {
  readonly kind?: string | undefined;
  readonly version?: number | undefined;
  /** Flagsmith's environment number, for the log of deliver. */
  readonly environment?: number | undefined;
  /** On a dead-letter message: why it was moved. */
  readonly reason?: string | undefined;
  /** On a dead-letter message: Segment's status, where there was one. */
  readonly status?: number | undefined;
  /** On a dead-letter message: the id at Segment, which survives a redrive. */
  readonly messageId?: string | undefined;
}

/** A message that SQS handed out. */
export interface ReceivedMessage {
  /** SQS's own id: another one after a redrive. */
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly groupId: string;
  /** When SQS took it, in milliseconds since 1970. */
  readonly sentAt: number;
  readonly receiveCount: number;
  /** Rises within a group. */
  readonly sequence: bigint;
  readonly attributes: Pick<MessageAttributes, "kind" | "version" | "environment">;
}

/** Reads what Lambda's event source hands over. */
export function toReceivedMessage(record: SQSRecord): ReceivedMessage {
  const { messageId: id, receiptHandle, body, attributes, messageAttributes } = record;
  const { kind, version, environment } = messageAttributes;
  const number = Number(environment?.stringValue);
  return {
    id,
    receiptHandle,
    body,
    groupId: attributes.MessageGroupId ?? id,
    sentAt: Number(attributes.SentTimestamp),
    receiveCount: Number(attributes.ApproximateReceiveCount),
    sequence: BigInt(attributes.SequenceNumber ?? 0),
    attributes: {
      kind: kind?.stringValue,
      version: version?.stringValue === undefined ? undefined : Number(version.stringValue),
      // What is no number was not written by receive; as an attribute of type Number SQS would refuse it.
      environment: Number.isNaN(number) ? undefined : number,
    },
  };
}

/** SQS's limit for the messages of one request. */
const MAX_BATCH = 10;
/** SQS takes 256 KiB per request in every region and partition; the rest is room for attributes. */
const MAX_BATCH_BYTES = 256 * 1024 - MAX_BATCH * 512;

/** One FIFO queue. */
export class Queue {
  readonly #sqs: Pick<AwsCall, "send">;
  readonly #url: string;

  constructor(sqs: Pick<AwsCall, "send">, url: string) {
    this.#sqs = sqs;
    this.#url = url;
  }

  /**
   * Sends the messages in order. When this returns, SQS has stored every one of them.
   *
   * @throws AwsCallError if any was not stored; earlier ones may have been.
   */
  async send(messages: readonly OutgoingMessage[], deadline?: number): Promise<void> {
    for (const batch of batchesOf(messages)) await this.#call("SendMessageBatch", batch.map(toEntry), deadline);
  }

  /**
   * Sets when up to 10 received messages come back, in seconds.
   *
   * @throws AwsCallError if any was not set; it then comes back when the queue's own visibility time-out ends.
   */
  async setVisibility(messages: readonly ReceivedMessage[], seconds: number): Promise<void> {
    const entries = messages.map(({ receiptHandle }, index) => {
      return { Id: String(index), ReceiptHandle: receiptHandle, VisibilityTimeout: seconds };
    });
    await this.#call("ChangeMessageVisibilityBatch", entries);
  }

  /** A batch is answered with 200 even if SQS refused some of its entries. */
  async #call(action: string, entries: readonly object[], deadline?: number): Promise<void> {
    const answer = await this.#sqs.send(action, { QueueUrl: this.#url, Entries: entries }, deadline);
    const [failure] = listOf(answer, "Failed");
    if (isJsonObject(failure)) {
      throw new AwsCallError(`sqs:${action}`, String(failure.Code), failure.SenderFault !== true);
    }
    if (listOf(answer, "Successful").length !== entries.length) {
      throw new AwsCallError(`sqs:${action}`, "unconfirmed", true);
    }
  }
}

function batchesOf(messages: readonly OutgoingMessage[]): readonly (readonly OutgoingMessage[])[] {
  const batches: OutgoingMessage[][] = [];
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

function toEntry({ body, groupId, deduplicationId, attributes }: OutgoingMessage, index: number): object {
  const typed = Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [[name, { DataType: typeof value === "number" ? "Number" : "String", StringValue: String(value) }]],
  );
  return {
    Id: String(index),
    MessageBody: body,
    MessageGroupId: groupId,
    MessageDeduplicationId: deduplicationId,
    ...(typed.length === 0 ? {} : { MessageAttributes: Object.fromEntries(typed) }),
  };
}

function listOf(answer: unknown, name: "Failed" | "Successful"): readonly unknown[] {
  const list = isJsonObject(answer) ? answer[name] : undefined;
  return Array.isArray(list) ? list : [];
}
