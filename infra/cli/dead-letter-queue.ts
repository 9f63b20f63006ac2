import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { isJsonObject, tryParseJson } from "../../lambda/json";
import type { Aws } from "./aws";
import { messagesIn } from "./checks/queues";
import { CommandError, type Terminal } from "./command";
import { explain, missingRight } from "./explain";

export interface DeadLetterMessage {
  /** The call's id, which Segment knows too. SQS's own id if the message can't be read. */
  readonly messageId: string;
  readonly reason: string;
  readonly status: string;
  /** "" if the message can't be read. */
  readonly userId: string;
  /** When receive accepted the evaluation, in milliseconds since 1970. */
  readonly receivedAt: number;
  readonly bytes: number;
  readonly traits: unknown;
  readonly receiptHandle: string;
  /** The message as SQS returned it. */
  readonly original: Message;
  /** SQS returned it in a full batch, so more messages of the same user may be behind it. */
  readonly batchFull: boolean;
}

/** The part of the queue that SQS shows. */
export interface Shown {
  readonly messages: readonly DeadLetterMessage[];
  /** Messages that SQS does not show, because it returns at most 10 per user. undefined = not known. */
  readonly behind: number | undefined;
  /** Messages that another reader holds. undefined = not known. */
  readonly heldByOthers: number | undefined;
  /** The error that ended the reading early. undefined = all was read. */
  readonly unread: unknown;
}

/** Maximum number of messages that are read. */
export const MOST = 1_000;
const BATCH = 10;
/** Seconds for which the messages are hidden from other readers. */
const HOLD_SECONDS = 120;
/** Reading ends after this time, so that the first messages are still held when `act` deletes them. */
const READ_MS = 60_000;

/**
 * Passes the messages to `act`, and makes them visible again afterwards, even after an error or Ctrl-C. If that fails, it says for how long
 * they are hidden.
 */
export async function withDeadLetters<Result>(
  aws: Aws,
  queueUrl: string,
  terminal: Terminal,
  act: (shown: Shown) => Promise<Result>,
): Promise<Result> {
  const held = new Map<string, DeadLetterMessage>();
  const release = () => releaseAll(aws, queueUrl, [...held.values()], terminal);
  let interrupted = false;
  let reading: Promise<unknown> = Promise.resolve();
  const removeListener = terminal.onInterrupt(async () => {
    interrupted = true;
    // A receive that is still running would hide messages again after the release.
    await reading;
    await release();
  });
  try {
    reading = readAll(aws, queueUrl, held, () => interrupted);
    const unread = await reading;
    if (interrupted) throw new CommandError("ended by Ctrl-C");
    return await act({ messages: [...held.values()], unread, ...(await hidden(aws, queueUrl, held.size, terminal)) });
  } finally {
    removeListener();
    await release();
  }
}

/** Returns the error that ended the reading early. undefined = all was read. */
async function readAll(
  aws: Aws,
  queueUrl: string,
  held: Map<string, DeadLetterMessage>,
  isInterrupted: () => boolean,
): Promise<unknown> {
  const endMs = Date.now() + READ_MS;
  try {
    while (held.size < MOST && Date.now() < endMs && !isInterrupted()) {
      const batch = await receive(aws, queueUrl);
      for (const message of batch) held.set(message.MessageId ?? "", toDeadLetter(message, batch.length === BATCH));
      if (batch.length === 0) break;
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

async function receive({ sqs }: Aws, QueueUrl: string): Promise<readonly Message[]> {
  const { Messages: messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: BATCH,
      VisibilityTimeout: HOLD_SECONDS,
      // With 0 seconds, SQS asks only some of its servers.
      WaitTimeSeconds: 1,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    }),
  );
  return messages;
}

/** The number of messages in the queue that this command does not hold. */
async function hidden(
  aws: Aws,
  queueUrl: string,
  held: number,
  terminal: Terminal,
): Promise<Pick<Shown, "behind" | "heldByOthers">> {
  try {
    const { visible, inFlight } = await messagesIn(aws, queueUrl);
    return { behind: visible, heldByOthers: Math.max(0, inFlight - held) };
  } catch (error) {
    const right = missingRight(error, "sqs:GetQueueAttributes");
    terminal.progress(`the number of messages is not known: ${right ?? explain(error, terminal.environment)}`);
    return { behind: undefined, heldByOthers: undefined };
  }
}

/** It never throws, because an error here must not hide the result of the command. */
async function releaseAll(
  { sqs }: Aws,
  QueueUrl: string,
  messages: readonly DeadLetterMessage[],
  { progress, environment }: Terminal,
): Promise<void> {
  try {
    for (let index = 0; index < messages.length; index += BATCH) {
      const Entries = messages.slice(index, index + BATCH).map(({ receiptHandle: ReceiptHandle }, Id) => {
        return { Id: String(Id), ReceiptHandle, VisibilityTimeout: 0 };
      });
      await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
    }
  } catch (error) {
    const why = missingRight(error, "sqs:ChangeMessageVisibility") ?? explain(error, environment);
    progress(`the messages are hidden for ${HOLD_SECONDS / 60} minutes, also from the next command: ${why}`);
  }
}

function toDeadLetter(original: Message, batchFull: boolean): DeadLetterMessage {
  const { MessageId: ownId = "", Body: body = "", ReceiptHandle: receiptHandle = "", Attributes } = original;
  const { reason, status, messageId } = original.MessageAttributes ?? {};
  const call = tryParseJson(body);
  const shared = {
    reason: reason?.StringValue ?? "moved by SQS itself",
    status: status?.StringValue ?? "",
    bytes: Buffer.byteLength(body),
    receiptHandle,
    original,
    batchFull,
  };
  try {
    const { identity, receivedAtMs: receivedAt, messageId: id } = parseIdentifyCall(body);
    return { ...shared, messageId: id, userId: identity, receivedAt, traits: isJsonObject(call) ? call.traits : undefined };
  } catch {
    // The message is still listed, without a user.
    const receivedAt = Number(Attributes?.SentTimestamp);
    return { ...shared, messageId: messageId?.StringValue ?? ownId, userId: "", receivedAt, traits: undefined };
  }
}

export async function deleteDeadLetter({ sqs }: Aws, QueueUrl: string, { receiptHandle }: DeadLetterMessage): Promise<void> {
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receiptHandle }));
}

/** Sends one message to the queue again, as SQS's own redrive does, then deletes the dead letter. If that fails, both copies exist. */
export async function redriveOne(
  aws: Aws,
  queueUrl: string,
  deadLetterQueueUrl: string,
  message: DeadLetterMessage,
): Promise<void> {
  const { Body: MessageBody, MessageId: MessageDeduplicationId, Attributes, MessageAttributes } = message.original;
  const MessageGroupId = Attributes?.MessageGroupId;
  if (MessageGroupId === undefined) throw new CommandError(`${message.messageId}: SQS does not say its message group`);
  await aws.sqs.send(
    new SendMessageCommand({ QueueUrl: queueUrl, MessageBody, MessageGroupId, MessageDeduplicationId, MessageAttributes }),
  );
  await deleteDeadLetter(aws, deadLetterQueueUrl, message);
}
