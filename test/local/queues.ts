import { FifoQueue } from "../cloud/fifo-queue";
import type { Deployment } from "./deployment";

/** Creates the queues, by logical id. Dead-letter queues are created first, as CloudFormation does. */
export function createQueues({ queues }: Deployment): ReadonlyMap<string, FifoQueue> {
  const clock = {
    get now() {
      return Date.now();
    },
  };
  const created = new Map<string, FifoQueue>();
  const redriveOf = (properties: Readonly<Record<string, unknown>>) => Object(properties.RedrivePolicy ?? {});
  const ordered = [...queues].sort(
    (one, other) => Number("RedrivePolicy" in one.properties) - Number("RedrivePolicy" in other.properties),
  );
  for (const { logicalId, properties } of ordered) {
    const { deadLetterTargetArn: target, maxReceiveCount } = redriveOf(properties);
    const deadLetterQueue = created.get(target?.["Fn::GetAtt"][0]);
    created.set(
      logicalId,
      new FifoQueue({
        clock,
        visibility: 1_000 * Number(properties.VisibilityTimeout),
        retention: 1_000 * Number(properties.MessageRetentionPeriod),
        ...(deadLetterQueue === undefined ? {} : { deadLetters: { queue: deadLetterQueue, maxReceiveCount } }),
      }),
    );
  }
  return created;
}
