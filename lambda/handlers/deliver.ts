import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import type { Queue } from "../adapters/queue";
import type { LogFields } from "../telemetry";
import type { Timing } from "../timing";
import { type AttemptDependencies, attempt } from "./attempt";
import type { Batch } from "./delivery";

export interface DeliverDependencies extends AttemptDependencies {
  readonly queue: Pick<Queue, "setVisibility">;
  readonly timing: Pick<Timing, "deliverAttempt" | "visibility">;
}

export type DeliverHandler = (
  event: SQSEvent,
  context: Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">,
) => Promise<SQSBatchResponse>;

/** The courier: identities run at the same time, one identity's messages in order, up to its first failure. */
export function deliverHandler(deps: DeliverDependencies): DeliverHandler {
  return async (event, context) => {
    const batch: Batch = {
      requestId: context.awsRequestId,
      hasTime: () => context.getRemainingTimeInMillis() >= deps.timing.deliverAttempt,
    };
    const kept = await Promise.all(
      byIdentity(event.Records).map((records) => deliverInOrder(deps, records, batch)),
    );
    return { batchItemFailures: kept.flat().map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

/** The messages that are to come again: the first that failed and all behind it. */
async function deliverInOrder(
  deps: DeliverDependencies,
  records: readonly SQSRecord[],
  batch: Batch,
): Promise<readonly SQSRecord[]> {
  for (const [index, record] of records.entries()) {
    const result = await attempt(deps, record, batch);
    if (result.settled) continue;
    const kept = records.slice(index);
    const held = kept.length - 1;
    if (result.unrecorded) await sendBlind(deps, kept.slice(1), batch);
    result.report({ ...(await postpone(deps, kept, result.retryIn)), ...(held === 0 ? {} : { held }) });
    return kept;
  }
  return [];
}

/**
 * While DynamoDB does not keep what was sent, Segment gets the events all the same, and the queue keeps them: were they deleted,
 * a later evaluation would be compared with a past that Segment has left. Up to their first failure, as ever.
 */
async function sendBlind(
  deps: DeliverDependencies,
  records: readonly SQSRecord[],
  batch: Batch,
): Promise<void> {
  for (const record of records) {
    const result = await attempt({ ...deps, changes: undefined }, record, batch);
    if (!result.settled) return result.report({});
  }
}

/**
 * Sets when an identity's messages come back, all at once: SQS gives out none of a group while any of them is invisible, and
 * the one that failed must not wait for those behind it. If that fails, they come back with the queue's own time-out.
 */
async function postpone(
  deps: DeliverDependencies,
  records: readonly SQSRecord[],
  seconds: number,
): Promise<LogFields> {
  try {
    await deps.queue.setVisibility(records.map(({ receiptHandle }) => ({ receiptHandle, seconds })));
    return { retryInSeconds: seconds };
  } catch (error) {
    const reason = error instanceof Error ? error.message : typeof error;
    return { retryInSeconds: deps.timing.visibility / 1_000, visibility: `schedule not set: ${reason}` };
  }
}

/** Batches keep the queue's order; so does each group of one. */
function byIdentity(records: readonly SQSRecord[]): readonly (readonly SQSRecord[])[] {
  const groups = new Map<string, SQSRecord[]>();
  for (const record of records) {
    const group = record.attributes.MessageGroupId ?? record.messageId;
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [record]);
    else members.push(record);
  }
  return [...groups.values()];
}
