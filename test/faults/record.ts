import type { SQSRecord } from "aws-lambda";
import type { Message } from "./fifo-queue";

/** What Lambda's event source hands to deliver. */
export function toRecord(message: Message): SQSRecord {
  const attributes = Object.entries(message.attributes).map(([name, stringValue]) => [
    name,
    { dataType: "String" as const, stringValue },
  ]);
  return {
    messageId: message.id,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receiveCount),
      SentTimestamp: String(message.sentAt),
      SenderId: "",
      ApproximateFirstReceiveTimestamp: "",
      MessageGroupId: message.groupId,
      MessageDeduplicationId: message.deduplicationId,
      SequenceNumber: String(message.sequence + 1),
    },
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: "",
    awsRegion: "us-east-1",
  };
}
