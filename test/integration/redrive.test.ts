import {
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { bytesOf, evaluationPayload, flagPayload } from "../support/builders";
import { type Road, startRoad } from "../support/road";

let road: Road;

beforeAll(async () => {
  road = await startRoad();
});
afterAll(() => road.stop());

async function nextDeadLetter(): Promise<Message> {
  const { Messages: [letter] = [] } = await road.cloud.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: road.cloud.deadLetterQueue.url,
      WaitTimeSeconds: 10,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
    }),
  );
  if (letter === undefined) throw new Error("no dead letter");
  return letter;
}

/** What SQS does for "start DLQ redrive": the same body, attributes and group, as a new message. The emulator has no such call. */
async function redriveOne(): Promise<Message> {
  const letter = await nextDeadLetter();
  await road.cloud.sqs.send(
    new SendMessageCommand({
      QueueUrl: road.cloud.queue.url,
      MessageBody: letter.Body,
      MessageGroupId: letter.Attributes?.MessageGroupId,
      MessageDeduplicationId: letter.Attributes?.MessageDeduplicationId,
      MessageAttributes: letter.MessageAttributes,
    }),
  );
  await road.cloud.sqs.send(
    new DeleteMessageCommand({
      QueueUrl: road.cloud.deadLetterQueue.url,
      ReceiptHandle: letter.ReceiptHandle,
    }),
  );
  return letter;
}

const outcomes = (name: string) => road.log.filter(({ event }) => event === name).length;

describe("after a redrive", () => {
  it("the events go through, in order and with the same ids", async () => {
    road.cloud.sink.refusals.push(400, 400, 400);
    const ids: string[] = [];
    for (const value of [1, 2, 3]) {
      const flags = [flagPayload({ name: "n", value })];
      ids.push((await road.post(bytesOf(evaluationPayload({ identity: "redriven", flags })))).messageId);
    }
    await road.until(() => outcomes("dead-lettered") === 3);
    for (const _ of ids) await redriveOne();
    await road.identify(ids[2] ?? "");
    expect(road.cloud.sink.calls.map(({ body }) => body.messageId)).toEqual(ids);
  });

  it("what is refused again is among the dead letters again, however soon", async () => {
    const before = outcomes("dead-lettered");
    road.cloud.sink.refusals.push(400, 400);
    const { messageId } = await road.post(bytesOf(evaluationPayload({ identity: "refused twice" })));
    await road.until(() => outcomes("dead-lettered") === before + 1);
    await redriveOne();
    await road.until(() => outcomes("dead-lettered") === before + 2);
    const letter = await nextDeadLetter();
    expect(letter.MessageAttributes?.messageId?.StringValue).toBe(messageId);
    expect(letter.MessageAttributes?.reason?.StringValue).toBe("rejected-by-segment");
  });
});
