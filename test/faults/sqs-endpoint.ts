import { createServer, type Server } from "node:http";
import { bodyOf } from "../local/parameter-store";
import type { FifoQueue } from "./fifo-queue";

/** `lost-answer`: SQS did it, the answer never comes. */
export type SqsBehaviour = "throttled" | "error" | "lost-answer" | "hanging" | undefined;
export type SqsAction = "SendMessageBatch" | "ChangeMessageVisibilityBatch";
export type QueueName = "queue" | "dead-letters";

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly MessageGroupId: string;
  readonly MessageDeduplicationId: string;
  readonly MessageAttributes?: Readonly<Record<string, { readonly StringValue: string }>>;
  readonly ReceiptHandle: string;
  readonly VisibilityTimeout: number;
}

export interface SqsEndpointOptions {
  readonly queues: Readonly<Record<QueueName, FifoQueue>>;
  readonly behave: (action: SqsAction, queue: QueueName) => SqsBehaviour;
  /** Handles of invocations that were killed: nothing of theirs gets through. */
  readonly isDead: (receiptHandle: string) => boolean;
}

/** SQS's JSON protocol in front of the model, as far as the functions speak it. The queues' URLs end in their names. */
export function createSqsEndpoint({ queues, behave, isDead }: SqsEndpointOptions): Server {
  return createServer(async (request, response) => {
    const action = String(request.headers["x-amz-target"]).replace("AmazonSQS.", "") as SqsAction;
    const { QueueUrl, Entries }: { QueueUrl: string; Entries: readonly Entry[] } = JSON.parse(
      (await bodyOf(request)).toString(),
    );
    const name: QueueName = QueueUrl.endsWith("/dead-letters") ? "dead-letters" : "queue";
    if (Entries.some((entry) => isDead(entry.ReceiptHandle))) return void request.socket.destroy();
    const behaviour = behave(action, name);
    const answer = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(body));
    if (behaviour === "throttled")
      return void answer(400, { __type: "com.amazonaws.sqs#ThrottlingException" });
    if (behaviour === "error") return void answer(500, { __type: "InternalError" });
    if (behaviour === "hanging") return;
    const result = act(queues[name], action, Entries);
    if (behaviour !== "lost-answer") answer(200, result);
  });
}

function act(queue: FifoQueue, action: SqsAction, entries: readonly Entry[]): object {
  const failed: object[] = [];
  for (const entry of entries) {
    if (action === "SendMessageBatch") {
      queue.send({
        body: entry.MessageBody,
        groupId: entry.MessageGroupId,
        deduplicationId: entry.MessageDeduplicationId,
        attributes: Object.fromEntries(
          Object.entries(entry.MessageAttributes ?? {}).map(([name, { StringValue }]) => [name, StringValue]),
        ),
      });
    } else if (!queue.setVisibility(entry.ReceiptHandle, entry.VisibilityTimeout)) {
      failed.push({ Id: entry.Id, Code: "ReceiptHandleIsInvalid", SenderFault: true });
    }
  }
  const ids = new Set(failed.map((failure) => Object(failure).Id));
  const successful = entries.filter(({ Id }) => !ids.has(Id)).map(({ Id }) => ({ Id }));
  return { Successful: successful, Failed: failed };
}
