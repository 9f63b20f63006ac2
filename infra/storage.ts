import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { TIMING } from "../lambda/timing";

/** High-throughput FIFO: order within an identity, 3,000 messages per second and more across them. */
export function addFifoQueue(scope: Construct, id: string, props: Pick<QueueProps, "deadLetterQueue"> = {}): Queue {
  return new Queue(scope, id, {
    ...props,
    fifo: true,
    deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    visibilityTimeout: Duration.millis(TIMING.visibilityMs),
    // What is in them was accepted: whoever deletes the stack deletes them by hand. A first deploy that fails leaves none behind.
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
}

/** What Segment has, as fingerprints. Losing it costs one repeat of each user's traits. */
export function addDeliveredTable(scope: Construct): Table {
  return new Table(scope, "Delivered", {
    partitionKey: { name: "identity", type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: "expiresAt",
    encryption: TableEncryption.DEFAULT,
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
