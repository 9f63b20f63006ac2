import { createHash } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Attribute, FifoQueue, Message } from "./fifo-queue";
import { ACCOUNT, bodyOf, REGION } from "./server";

/** `lost-answer`: SQS executes the request, but its answer never arrives. */
export type SqsBehaviour = "throttled" | "error" | "lost-answer" | "hanging" | undefined;

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly MessageGroupId: string;
  readonly MessageDeduplicationId: string;
  readonly MessageAttributes?: Readonly<Record<string, Attribute>>;
  readonly ReceiptHandle: string;
  readonly VisibilityTimeout: number;
}

interface Request extends Entry {
  readonly QueueUrl: string;
  readonly Entries?: readonly Entry[];
  readonly MaxNumberOfMessages?: number;
  readonly WaitTimeSeconds?: number;
  readonly SourceArn?: string;
  readonly DestinationArn?: string;
}

/** A redrive. It is complete immediately, unless a test sets another status. */
export interface MoveTask {
  Status: "RUNNING" | "COMPLETED" | "FAILED";
  ApproximateNumberOfMessagesMoved: number;
  StartedTimestamp: number;
  FailureReason?: string;
}

export interface FakeSqsOptions {
  /** Queues by name. The name includes `.fifo`. */
  readonly queues: Readonly<Record<string, FifoQueue>>;
  /** @default - works */
  readonly behave?: (action: string, queue: string) => SqsBehaviour;
  /** Whether a handle belongs to an invocation that was killed. Requests with such a handle get no answer. */
  readonly isDead?: (receiptHandle: string) => boolean;
}

/** An SQS error. Its message is the error's type. */
class SqsFault extends Error {
  override readonly name = "SqsFault";
}

export const queueArn = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;

/** The part of SQS's JSON protocol that the functions and AWS's own client use. A queue's URL ends in its name. */
export class FakeSqs {
  readonly #options: FakeSqsOptions;
  /** Redrives, oldest first. */
  readonly moves: MoveTask[] = [];
  /** How often a list still lacks a redrive that was started: SQS may list it late. */
  movesListedLate = 0;
  /** Why SQS ends each redrive after the first message. undefined = it ends none early. */
  moveFailure: string | undefined;
  #unlisted = 0;

  constructor(options: FakeSqsOptions) {
    this.#options = options;
  }

  readonly server: Server = createServer(async (request, response) => {
    const action = String(request.headers["x-amz-target"]).replace("AmazonSQS.", "");
    const input: Request = JSON.parse((await bodyOf(request)).toString());
    const name = (input.QueueUrl?.split("/") ?? input.SourceArn?.split(":"))?.at(-1) ?? "";
    const entries = input.Entries ?? [input];
    const { queues, behave, isDead } = this.#options;
    if (entries.some(({ ReceiptHandle: handle }) => isDead?.(handle))) return void request.socket.destroy();
    const behaviour = behave?.(action, name);
    if (behaviour === "throttled") return answer(response, 400, { __type: "com.amazonaws.sqs#ThrottlingException" });
    if (behaviour === "error") return answer(response, 500, { __type: "InternalError" });
    if (behaviour === "hanging") return;
    try {
      const queue = queues[name];
      if (queue === undefined) throw new SqsFault("QueueDoesNotExist");
      const result = await this.#act(action, queue, name, input, () => response.destroyed);
      if (behaviour !== "lost-answer") answer(response, 200, result);
    } catch (error) {
      if (!(error instanceof SqsFault)) throw error;
      answer(response, 400, { __type: `com.amazonaws.sqs#${error.message}` });
    }
  });

  async #act(action: string, queue: FifoQueue, name: string, input: Request, isGone: () => boolean): Promise<object> {
    switch (action) {
      case "SendMessage":
        return sendOne(queue, input);
      case "SendMessageBatch":
        return batch(input, (entry) => sendOne(queue, entry));
      case "ReceiveMessage":
        return { Messages: (await receive(queue, input, isGone)).map(toMessage) };
      case "DeleteMessage":
        return deleteOne(queue, input);
      case "DeleteMessageBatch":
        return batch(input, (entry) => deleteOne(queue, entry));
      case "ChangeMessageVisibility":
        return setVisibility(queue, input);
      case "ChangeMessageVisibilityBatch":
        return batch(input, (entry) => setVisibility(queue, entry));
      case "GetQueueAttributes":
        return {
          Attributes: {
            QueueArn: queueArn(name),
            ApproximateNumberOfMessages: String(queue.size - queue.inFlight),
            ApproximateNumberOfMessagesNotVisible: String(queue.inFlight),
          },
        };
      case "StartMessageMoveTask":
        return this.#move(queue, input.DestinationArn?.split(":").at(-1) ?? "");
      case "ListMessageMoveTasks":
        return { Results: (this.#unlisted-- > 0 ? this.moves.slice(0, -1) : this.moves).slice(-1) };
      default:
        throw new SqsFault("InvalidAction");
    }
  }

  #move(from: FifoQueue, name: string): object {
    const to = this.#options.queues[name];
    if (to === undefined) throw new SqsFault("ResourceNotFoundException");
    const StartedTimestamp = Date.now() + this.moves.length;
    const FailureReason = this.moveFailure;
    if (FailureReason === undefined) {
      this.moves.push({ Status: "COMPLETED", StartedTimestamp, ApproximateNumberOfMessagesMoved: from.moveTo(to) });
    } else this.moves.push({ Status: "FAILED", StartedTimestamp, ApproximateNumberOfMessagesMoved: 1, FailureReason });
    this.#unlisted = this.movesListedLate;
    return { TaskHandle: "task" };
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(body));
}

/** Answers a batch with 200, as SQS does. Each entry has its own result. */
function batch({ Entries: entries = [] }: Request, act: (entry: Entry) => object): object {
  const bytes = entries.reduce((sum, { MessageBody: body = "" }) => sum + Buffer.byteLength(body), 0);
  if (entries.length === 0 || entries.length > 10) throw new SqsFault("TooManyEntriesInBatchRequest");
  if (bytes > 256 * 1024) throw new SqsFault("BatchRequestTooLong");
  const successful: object[] = [];
  const failed: object[] = [];
  for (const entry of entries) {
    try {
      successful.push({ Id: entry.Id, ...act(entry) });
    } catch (error) {
      if (!(error instanceof SqsFault)) throw error;
      failed.push({ Id: entry.Id, Code: error.message, SenderFault: true });
    }
  }
  return { Successful: successful, Failed: failed };
}

/** SQS accepts tab, line feed, carriage return, U+0020 to U+D7FF, U+E000 to U+FFFD, and all beyond U+FFFF. */
const REFUSED = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

function sendOne(queue: FifoQueue, entry: Entry): object {
  const { MessageBody: body, MessageGroupId: groupId, MessageDeduplicationId: deduplicationId } = entry;
  const { MessageAttributes: attributes = {} } = entry;
  const id = /^[\w!"#$%&'()*+,\-./:;<=>?@[\\\]^`{|}~]{1,128}$/;
  if (REFUSED.test(body) || body === "") throw new SqsFault("InvalidMessageContents");
  if (!id.test(groupId) || !id.test(deduplicationId)) throw new SqsFault("InvalidParameterValue");
  for (const { DataType: type, StringValue: value } of Object.values(attributes)) {
    if (type === "Number" && Number.isNaN(Number(value))) throw new SqsFault("InvalidParameterValue");
  }
  const messageId = queue.send({ body, groupId, deduplicationId, attributes });
  return { MessageId: messageId, MD5OfMessageBody: md5(body) };
}

function deleteOne(queue: FifoQueue, { ReceiptHandle: handle }: Entry): object {
  queue.delete(handle);
  return {};
}

function setVisibility(queue: FifoQueue, { ReceiptHandle: handle, VisibilityTimeout: seconds }: Entry): object {
  if (!(seconds >= 0 && seconds <= 43_200)) throw new SqsFault("InvalidParameterValue");
  if (!queue.setVisibility(handle, seconds)) throw new SqsFault("ReceiptHandleIsInvalid");
  return {};
}

/** Waits in real time, as long polling does. */
async function receive(queue: FifoQueue, input: Request, isGone: () => boolean): Promise<readonly Message[]> {
  const { MaxNumberOfMessages: most = 1, WaitTimeSeconds: wait = 0, VisibilityTimeout: visibility } = input;
  const end = Date.now() + 1_000 * wait;
  for (;;) {
    if (isGone()) return [];
    const messages = queue.receive(most, visibility === undefined ? undefined : 1_000 * visibility);
    if (messages.length > 0 || Date.now() >= end) return messages;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function toMessage(message: Message): object {
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: systemAttributes(message),
    MessageAttributes: message.attributes,
  };
}

/** SQS's sequence numbers have 20 digits. */
export const FIRST_SEQUENCE = 18_849_496_460_467_696_128n;

/** SQS's own attributes of a message. Its times are whole milliseconds, and the campaign's clock has fractions. */
export function systemAttributes(message: Message) {
  return {
    ApproximateReceiveCount: String(message.receiveCount),
    SentTimestamp: String(Math.floor(message.sentAt)),
    SenderId: "",
    ApproximateFirstReceiveTimestamp: String(Math.floor(message.sentAt)),
    SequenceNumber: String(FIRST_SEQUENCE + BigInt(message.sequence)),
    MessageGroupId: message.groupId,
    MessageDeduplicationId: message.deduplicationId,
  };
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
