import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { type ReceivedMessage, toReceivedMessage } from "../adapters/queue";
import { UnreadableMessageError } from "../errors";
import { MESSAGE_KIND, MESSAGE_VERSION, parseIdentifyCall } from "../identify-call";
import { isJsonObject } from "../json";
import type { LogFields, Outcome } from "../log";
import { type DeliverDependencies, deliverUnit, type Invocation } from "./call";
import { conclude, type Stop } from "./conclude";
import type { Failure } from "./judge";
import { mergeBacklog, type ReadMessage, unitOf } from "./merge";
import { knownOf, settled, waitingFields } from "./outcomes";
import { People } from "./people";

export type DeliverHandler = (
  event: unknown,
  context: Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">,
) => Promise<SQSBatchResponse>;

/**
 * Only single calls are moved, and a container that is new at each try remembers nobody who fails. The queue does: what was handed
 * out this often is not merged any more.
 */
const SINGLY_FROM_RECEIVE = 10;

/**
 * People run at the same time, one person's messages in order, up to the first failure. Failures are judged once all answers of
 * the invocation are in: answers that come fast must not be blamed before slow ones.
 */
export function deliverHandler(deps: DeliverDependencies): DeliverHandler {
  const people = new People();
  return async (event, { awsRequestId: requestId, getRemainingTimeInMillis: timeLeft }) => {
    const write = ({ fields, ...outcome }: Outcome) => deps.log.write({ ...outcome, fields: { requestId, ...fields } });
    const messages = messagesOf(event, deps.queueArn, write);
    const hasTime = () => timeLeft() >= deps.timing.deliverCall;
    const invocation: Invocation = { ...deps, people, requestId, hasTime, slowDown: undefined, secondTryMade: false };
    const byPerson = new Map<string, readonly ReceivedMessage[]>();
    for (const message of messages) byPerson.set(message.groupId, [...(byPerson.get(message.groupId) ?? []), message]);
    const progress = await Promise.all(
      [...byPerson].map(([person, own]) => {
        const isFailing = people.isFailing(person) || own.some(({ receiveCount }) => receiveCount >= SINGLY_FROM_RECEIVE);
        return deliverInOrder(invocation, own, deps.mergeBacklog && !isFailing);
      }),
    );
    const stops = progress.flatMap(({ stop }) => stop ?? []);
    const concluded = await Promise.all(stops.map((stop) => conclude(invocation, stop)));
    for (const { outcomes } of progress) outcomes.forEach(write);
    for (const { outcome } of concluded) write(outcome);
    return { batchItemFailures: concluded.flatMap(({ kept }) => kept.map(({ id }) => ({ itemIdentifier: id }))) };
  };
}

/** How far one person's messages came: the outcomes of those that the queue may forget, and the first that it may not. */
async function deliverInOrder(invocation: Invocation, messages: readonly ReceivedMessage[], merges: boolean) {
  const outcomes: Outcome[] = [];
  const stopAt = (message: ReceivedMessage, failure: Failure, fields: LogFields, merged = false) => {
    const behind = messages.slice(messages.indexOf(message) + 1);
    const stop: Stop = { message, failure, fields, behind, merged };
    return { outcomes, stop };
  };
  const readings = messages.map(readMessage);
  const stuck = readings.find((read) => "failure" in read);
  const readable = readings.slice(0, stuck && readings.indexOf(stuck)).filter((read) => "call" in read);
  for (const unit of merges ? mergeBacklog(readable, invocation.requestId) : readable.map(unitOf)) {
    const startedAt = invocation.now();
    const steps: string[] = [];
    const step = (text: string) => void steps.push(text);
    const end = await deliverUnit(invocation, unit, step).catch((error: unknown): Failure => ({ kind: "error", error }));
    const now = invocation.now();
    const about = { durationMs: now - startedAt, steps };
    const [first, ...others] = unit.messages;
    if ("kind" in end) return stopAt(first.message, end, { ...waitingFields(first, end, now), ...about }, others.length > 0);
    outcomes.push(...settled(unit, end, about, now));
  }
  if (stuck === undefined) return { outcomes, stop: undefined };
  return stopAt(stuck.message, stuck.failure, { ...knownOf(stuck.message), messageId: stuck.message.id });
}

function readMessage(message: ReceivedMessage): ReadMessage | { readonly message: ReceivedMessage; readonly failure: Failure } {
  const { kind = MESSAGE_KIND, version = MESSAGE_VERSION } = message.attributes;
  if (kind !== MESSAGE_KIND || version !== MESSAGE_VERSION) return { message, failure: { kind: "unknown-version" } };
  try {
    return { message, call: parseIdentifyCall(message.body) };
  } catch (error) {
    if (!(error instanceof UnreadableMessageError)) throw error;
    return { message, failure: { kind: "unreadable", error } };
  }
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
