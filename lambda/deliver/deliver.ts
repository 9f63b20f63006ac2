import type { Context, SQSBatchResponse } from "aws-lambda";
import type { ReceivedMessage } from "../adapters/queue";
import type { LogFields, Outcome } from "../log";
import { attempt } from "./attempt";
import { readBatch } from "./batch";
import { UserRecord } from "./changes";
import { Health } from "./health";
import type { DeliverDependencies, Failure, Invocation, Reading, ReadMessage, Unit, UnitResult } from "./invocation";
import { mergeBacklog, unitOf } from "./merge";
import { deadLettered, fieldsOf, retrying, settled, unchanged } from "./outcomes";
import { countsForStreak, deadLetterReason, retryAfterSeconds } from "./retry-policy";

export type DeliverHandler = (
  event: unknown,
  context: Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">,
) => Promise<SQSBatchResponse>;

/** A new container does not know which users fail. So a message that was received this often is not merged. */
const SINGLY_FROM_RECEIVE = 10;

/** A user's first message that is not settled, and the later ones behind it. */
interface Stop {
  readonly message: ReceivedMessage;
  readonly failure: Failure;
  readonly fields: LogFields;
  readonly behind: readonly ReceivedMessage[];
  readonly merged: boolean;
}

/**
 * Delivers a batch: users in parallel, each user's messages in order up to the first failure. Failures are judged after the last answer
 * of the invocation, so that slow successes still count when a fast failure is judged.
 */
export function deliverHandler(deps: DeliverDependencies): DeliverHandler {
  const health = new Health(deps.retrySeconds);
  return async (event, { awsRequestId: requestId, getRemainingTimeInMillis: timeLeftMs }) => {
    const write = ({ fields, ...outcome }: Outcome) => deps.log.write({ ...outcome, fields: { requestId, ...fields } });
    const hasTime = () => timeLeftMs() >= deps.timing.deliverUnitMs;
    const invocation: Invocation = { ...deps, requestId, hasTime, slowDownSeconds: undefined };
    const { users, foreign } = readBatch(event, deps.queueArn, write);
    const progress = await Promise.all(users.map((readings) => deliverUser(invocation, health, readings)));
    const stops = progress.flatMap(({ stop }) => stop ?? []);
    const concluded = await Promise.all(stops.map((stop) => conclude(invocation, health, stop)));
    const outcomes = [...progress.flatMap((user) => user.outcomes), ...concluded.map(({ outcome }) => outcome)];
    outcomes.forEach(write);
    const failures = [...foreign, ...concluded.flatMap(({ kept }) => kept.map(({ id }) => id))];
    return { batchItemFailures: failures.map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

/** Delivers one user's messages: skips settled ones, merges, attempts each unit, and stops at the first failure. */
async function deliverUser(invocation: Invocation, health: Health, readings: readonly [Reading, ...Reading[]]) {
  const { changes, now } = invocation;
  const outcomes: Outcome[] = [];
  const messages = readings.map(({ message }) => message);
  const stopAt = ({ message }: Reading, failure: Failure, fields: LogFields, merged = false) => {
    const stop: Stop = { message, failure, fields, behind: messages.slice(messages.indexOf(message) + 1), merged };
    return { outcomes, stop };
  };
  const [first] = readings;
  const record = changes && new UserRecord({ ...changes, userHash: first.message.groupId, now });
  const noRecord = await record?.read().catch(failed);
  if (noRecord !== undefined) return stopAt(first, noRecord.failure, fieldsOf(first));
  const isSettled = ({ message }: Reading) => record?.isSettled(message.sequence) === true;
  outcomes.push(...readings.filter(isSettled).map(unchanged));
  const open = readings.filter((reading) => !isSettled(reading));
  const stuck = open.find((reading) => reading.kind === "unread");
  const readable = open.slice(0, stuck && open.indexOf(stuck)).filter((reading) => reading.kind === "read");
  for (const unit of unitsOf(invocation, health, readable)) {
    const startedAtMs = now();
    const result = await attempt(invocation, unit, record).catch(failed);
    const nowMs = now();
    noteAttempt(health, unit, result, nowMs);
    const durationMs = nowMs - startedAtMs;
    const [unsettled, ...others] = unit.messages;
    if (result.kind === "failed") {
      return stopAt(unsettled, result.failure, { ...fieldsOf(unsettled), durationMs }, others.length > 0);
    }
    outcomes.push(...settled(unit, result, durationMs, nowMs));
  }
  return stuck === undefined ? { outcomes, stop: undefined } : stopAt(stuck, stuck.failure, fieldsOf(stuck));
}

function failed(error: unknown): Extract<UnitResult, { kind: "failed" }> {
  return { kind: "failed", failure: { kind: "error", error } };
}

/** The messages of a user who fails are not merged, because a merged unit is never dead-lettered. */
function unitsOf({ mergeBacklog: merges, requestId }: Invocation, health: Health, messages: readonly ReadMessage[]) {
  const singly = ({ message }: ReadMessage) => message.receiveCount >= SINGLY_FROM_RECEIVE || health.isFailing(message.groupId);
  if (!merges || messages.some(singly)) return messages.map(unitOf);
  try {
    return mergeBacklog(messages, requestId);
  } catch {
    // No exception is known. If there is one, it occurs again and is logged when its message is sent singly.
    return messages.map(unitOf);
  }
}

/** Only HTTP requests to Segment count for health. A merged unit counts by its first message. */
function noteAttempt(health: Health, { messages: [{ message }] }: Unit, result: UnitResult, atMs: number): void {
  const accepted = result.kind === "delivered";
  const refused = result.kind === "failed" && result.failure.kind === "not-accepted";
  if (accepted || refused) health.attempted(message.groupId, { accepted, atMs, receiveCount: message.receiveCount });
}

/** Dead-letters the message, or sets when it and those behind it are retried. `kept`: the messages that stay in the queue. */
async function conclude(invocation: Invocation, health: Health, stop: Stop) {
  const { retrySeconds, random, now } = invocation;
  const { message, failure, merged, behind } = stop;
  const { groupId: user, receiveCount, sentAtMs } = message;
  const nowMs = now();
  const healthy = health.isHealthyFor(user, nowMs);
  const failedMessage = { failure, ageSeconds: (nowMs - sentAtMs) / 1_000, receiveCount, merged, healthy };
  const streak = countsForStreak(failedMessage, retrySeconds) ? health.countFailure(user, nowMs) : 0;
  const reason = deadLetterReason(failedMessage, streak, retrySeconds);
  const about = { ...stop.fields, ageMs: nowMs - sentAtMs, held: behind.length === 0 ? undefined : behind.length };
  const moveError = reason && (await deadLetter(invocation, stop, reason));
  if (reason !== undefined && moveError === undefined) {
    const { visibility } = await setVisibility(invocation, behind, 0);
    const outcome = deadLettered(failure, reason);
    return { kept: behind, outcome: { ...outcome, fields: { ...about, ...outcome.fields, visibility } } };
  }
  const kept = [message, ...behind];
  const scheduled = await setVisibility(invocation, kept, retryAfterSeconds(failedMessage, random, retrySeconds));
  const outcome = retrying(failure, healthy, invocation);
  const fields = { ...about, ...outcome.fields, ...scheduled };
  if (moveError === undefined) return { kept, outcome: { ...outcome, fields } };
  return { kept, outcome: { ...outcome, message: "could not be moved to the dead-letter queue", error: moveError, fields } };
}

/** Copies the message to the dead-letter queue. SQS's id de-duplicates it: a second copy within 5 minutes is not stored. */
async function deadLetter(deps: Invocation, { message, failure, fields }: Stop, reason: string): Promise<unknown> {
  const status = failure.kind === "not-accepted" ? failure.answer.status : undefined;
  const { body, groupId, id } = message;
  const attributes = { ...message.attributes, reason, status, messageId: String(fields.messageId) };
  try {
    await deps.deadLetterQueue.send([{ body, groupId, deduplicationId: id, attributes }]);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Sets when the messages become visible. All have the same time, because one invisible message blocks its user's others in SQS. */
async function setVisibility(deps: Invocation, messages: readonly ReceivedMessage[], seconds: number): Promise<LogFields> {
  try {
    if (messages.length > 0) await deps.queue.setVisibility(messages, seconds);
    return { retryInSeconds: seconds };
  } catch (error) {
    const reason = error instanceof Error ? error.message : typeof error;
    return { retryInSeconds: deps.timing.visibilityMs / 1_000, visibility: `visibility not set: ${reason}` };
  }
}
