import type { SQSMessageAttribute, SQSMessageAttributes } from "aws-lambda";
import { AwsCallError } from "../errors";
import { isJsonObject, type JsonObject } from "../json";
import type { AwsCall } from "./aws-call";

/** A message to be sent. */
export interface OutgoingMessage {
  readonly body: string;
  /** SQS delivers the messages of one group in the order in which they were sent. */
  readonly groupId: string;
  /** SQS does not store the same id again within 5 minutes, so a send can be repeated if its answer was lost. */
  readonly deduplicationId: string;
  readonly attributes: MessageAttributes;
}

/** Attributes of the messages in both queues. `environment`: Flagsmith's number, for the log of deliver. */
export interface MessageAttributes {
  readonly kind?: string | undefined;
  readonly version?: number | string | undefined;
  readonly environment?: number | undefined;
  /** Variations by flag, as JSON: option `experiments`. */
  readonly experiments?: string | undefined;
  /** Only in dead-lettered messages: the reason, Segment's last status, and the call's id at Segment, which a redrive keeps. */
  readonly reason?: string | undefined;
  readonly status?: number | undefined;
  readonly messageId?: string | undefined;
}

/** A message that SQS delivered. */
export interface ReceivedMessage {
  /** SQS's own id. It changes with a redrive. */
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly groupId: string;
  /** When SQS received it, in milliseconds since 1970. */
  readonly sentAtMs: number;
  readonly receiveCount: number;
  /** Increases within a group. */
  readonly sequence: bigint;
  readonly attributes: Pick<MessageAttributes, "kind" | "version" | "environment" | "experiments">;
  /** False = a field is missing or is not a number, and is replaced by a meaningless value here. */
  readonly isComplete: boolean;
}

/** Reads an event of Lambda's event source. `foreign`: ids of the records of another queue. */
export function toReceivedMessages(event: unknown, queueArn: string) {
  const records = isJsonObject(event) && Array.isArray(event.Records) ? event.Records.filter(isJsonObject) : [];
  const isOurs = ({ eventSourceARN }: JsonObject) => eventSourceARN === queueArn;
  const foreign = records.filter((record) => !isOurs(record)).map(({ messageId }) => String(messageId));
  return { messages: records.filter(isOurs).map(toReceivedMessage), foreign };
}

function toReceivedMessage(record: JsonObject): ReceivedMessage {
  const { messageId, receiptHandle, body, attributes, messageAttributes } = record;
  const { MessageGroupId, SentTimestamp, ApproximateReceiveCount, SequenceNumber } = Object(attributes);
  const { kind, version, environment, experiments }: SQSMessageAttributes = Object(messageAttributes);
  const texts = [messageId, receiptHandle, body, MessageGroupId];
  const numbers = [SentTimestamp, ApproximateReceiveCount, SequenceNumber];
  const isComplete = texts.every((text) => typeof text === "string") && numbers.every((number) => /^\d+$/.test(String(number)));
  return {
    id: String(messageId),
    receiptHandle: String(receiptHandle),
    body: typeof body === "string" ? body : JSON.stringify(body ?? null),
    groupId: String(MessageGroupId ?? messageId),
    sentAtMs: isComplete ? Number(SentTimestamp) : 0,
    receiveCount: isComplete ? Number(ApproximateReceiveCount) : 1,
    sequence: isComplete ? BigInt(SequenceNumber) : 0n,
    attributes: {
      kind: kind?.stringValue,
      version: numberIn(version) ?? version?.stringValue,
      environment: numberIn(environment),
      experiments: experiments?.stringValue,
    },
    isComplete,
  };
}

/** undefined = no number. NaN would make SQS refuse to move the message. */
function numberIn(attribute: SQSMessageAttribute | undefined): number | undefined {
  const number = Number(attribute?.stringValue);
  return Number.isNaN(number) ? undefined : number;
}

/** SQS's limits for one request: 10 messages and 256 KiB in every partition, of which 512 bytes per message are for other attributes. */
const MAX_BATCH = 10;
const MAX_BATCH_BYTES = 256 * 1024 - MAX_BATCH * 512;

/** One FIFO queue. */
export class Queue {
  constructor(
    private readonly sqs: Pick<AwsCall, "send">,
    private readonly url: string,
  ) {}

  /** Sends the messages in order. @throws AwsCallError unless SQS stored every one. Earlier ones may be stored then. */
  async send(messages: readonly OutgoingMessage[], deadlineMs?: number): Promise<void> {
    for (const batch of batchesOf(messages)) await this.#call("SendMessageBatch", batch.map(toEntry), deadlineMs);
  }

  /** Sets when up to 10 messages become visible again. @throws AwsCallError. Then the queue's visibility time-out applies. */
  async setVisibility(messages: readonly ReceivedMessage[], seconds: number): Promise<void> {
    const toEntry = ({ receiptHandle: ReceiptHandle }: ReceivedMessage, index: number) => {
      return { Id: String(index), ReceiptHandle, VisibilityTimeout: seconds };
    };
    await this.#call("ChangeMessageVisibilityBatch", messages.map(toEntry));
  }

  /** SQS answers 200 even if it refused some of the batch's entries. */
  async #call(action: string, entries: readonly object[], deadlineMs?: number): Promise<void> {
    const answer = await this.sqs.send(action, { QueueUrl: this.url, Entries: entries }, deadlineMs);
    const [failure] = listOf(answer, "Failed");
    const name = `sqs:${action}`;
    if (isJsonObject(failure)) throw new AwsCallError(name, String(failure.Code), failure.SenderFault !== true);
    if (listOf(answer, "Successful").length !== entries.length) throw new AwsCallError(name, "unconfirmed", true);
  }
}

function batchesOf(messages: readonly OutgoingMessage[]): readonly (readonly OutgoingMessage[])[] {
  const batches: OutgoingMessage[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = Buffer.byteLength(message.body) + Buffer.byteLength(message.attributes.experiments ?? "");
    const open = bytes <= room ? batches.at(-1) : undefined;
    if (open !== undefined && open.length < MAX_BATCH) open.push(message);
    else {
      batches.push([message]);
      room = MAX_BATCH_BYTES;
    }
    room -= bytes;
  }
  return batches;
}

function toEntry({ body, groupId, deduplicationId, attributes }: OutgoingMessage, index: number): object {
  const typed = Object.entries(attributes).flatMap(([name, value]) => {
    const DataType = typeof value === "number" ? "Number" : "String";
    return value === undefined ? [] : [[name, { DataType, StringValue: String(value) }]];
  });
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
