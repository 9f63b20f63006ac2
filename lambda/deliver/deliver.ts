import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { type ReceivedMessage, toReceivedMessage } from "../adapters/queue";
import { isJsonObject } from "../json";
import type { Outcome } from "../log";
import { type CallResult, deliverMessage } from "./call";
import { conclude, type Stop } from "./conclude";
import type { DeliverDependencies, Invocation } from "./dependencies";
import { People } from "./people";

export type DeliverHandler = (
  event: unknown,
  context: Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">,
) => Promise<SQSBatchResponse>;

/**
 * People run at the same time, one person's messages in order, up to the first failure. Failures are judged once all answers of
 * the invocation are in: answers that come fast must not be blamed before slow ones.
 */
export function deliverHandler(deps: DeliverDependencies): DeliverHandler {
  const people = new People();
  return async (event, { awsRequestId: requestId, getRemainingTimeInMillis: timeLeft }) => {
    const write = ({ fields, ...outcome }: Outcome) => deps.log.write({ ...outcome, fields: { requestId, ...fields } });
    const messages = messagesOf(event, deps.queueArn, write);
    const invocation: Invocation = {
      hasTime: () => timeLeft() >= deps.timing.deliverCall,
      slowDown: undefined,
      secondTryMade: false,
    };
    const progress = await Promise.all(byPerson(messages).map((own) => deliverInOrder(deps, invocation, own)));
    for (const { person, tried } of progress) for (const { taken, at } of tried) people.tried(person, taken, at);
    const stops = progress.flatMap(({ stop }) => stop ?? []);
    const concluded = await Promise.all(stops.map((stop) => conclude(deps, people, stop)));
    for (const { outcomes } of progress) outcomes.forEach(write);
    for (const { outcome } of concluded) write(outcome);
    return {
      batchItemFailures: concluded.flatMap(({ kept }) => kept.map(({ id }) => ({ itemIdentifier: id }))),
    };
  };
}

/** How far one person's messages came. */
interface Progress {
  readonly person: string;
  /** Of the messages that the queue may forget. */
  readonly outcomes: readonly Outcome[];
  readonly tried: readonly NonNullable<CallResult["tried"]>[];
  readonly stop: Stop | undefined;
}

async function deliverInOrder(
  deps: DeliverDependencies,
  invocation: Invocation,
  { person, messages }: PersonsMessages,
): Promise<Progress> {
  const outcomes: Outcome[] = [];
  const tried: NonNullable<CallResult["tried"]>[] = [];
  for (const [index, message] of messages.entries()) {
    const result = await deliverMessage(deps, invocation, message);
    const { end, fields } = result;
    if (result.tried !== undefined) tried.push(result.tried);
    if ("kind" in end) {
      const stop = { message, failure: end, fields, behind: messages.slice(index + 1) };
      return { person, outcomes, tried, stop };
    }
    outcomes.push({ ...end, fields: { ...fields, ...end.fields } });
  }
  return { person, outcomes, tried, stop: undefined };
}

interface PersonsMessages {
  /** The message group. */
  readonly person: string;
  readonly messages: readonly ReceivedMessage[];
}

/** Batches keep the queue's order; so does each group. */
function byPerson(messages: readonly ReceivedMessage[]): readonly PersonsMessages[] {
  const groups = new Map<string, ReceivedMessage[]>();
  for (const message of messages) {
    const group = groups.get(message.groupId);
    if (group === undefined) groups.set(message.groupId, [message]);
    else group.push(message);
  }
  return [...groups].map(([person, own]) => ({ person, messages: own }));
}

/** Everything but messages of our queue, the console's test event or a warmer's, gets one line and is no failure. */
function messagesOf(event: unknown, queueArn: string, write: (outcome: Outcome) => void): readonly ReceivedMessage[] {
  const records = isFromSqs(event) ? event.Records : [];
  const ours = records.filter(({ eventSourceARN }) => eventSourceARN === queueArn);
  if (records.length === 0 || ours.length < records.length) {
    const foreign = records.length - ours.length;
    const reason = foreign === 0 ? "the event is not a batch of SQS's" : `${foreign} records are not of ${queueArn}`;
    write({ event: "unknown-source", message: "event ignored", fields: { reason } });
  }
  return ours.map(toReceivedMessage);
}

function isFromSqs(event: unknown): event is SQSEvent {
  return isJsonObject(event) && Array.isArray(event.Records) && event.Records.every(isJsonObject);
}
