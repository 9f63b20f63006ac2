import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { type AttemptDependencies, attempt } from "./attempt";

export type DeliverDependencies = AttemptDependencies;

export type DeliverHandler = (
  event: SQSEvent,
  context: Pick<Context, "awsRequestId">,
) => Promise<SQSBatchResponse>;

/** The courier: identities run at the same time, one identity's messages in order, up to its first failure. */
export function deliverHandler(deps: DeliverDependencies): DeliverHandler {
  return async (event, context) => {
    const failed = await Promise.all(
      byIdentity(event.Records).map((records) => deliverInOrder(deps, records, context.awsRequestId)),
    );
    return { batchItemFailures: failed.flat().map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

/** The ids of the messages that are to come again: the first that failed and all behind it. */
async function deliverInOrder(
  deps: DeliverDependencies,
  records: readonly SQSRecord[],
  requestId: string,
): Promise<readonly string[]> {
  for (const [index, record] of records.entries()) {
    if (await attempt(deps, record, requestId)) continue;
    return records.slice(index).map(({ messageId }) => messageId);
  }
  return [];
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
