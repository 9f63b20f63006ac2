import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { TIMING } from "../lambda/timing";

const RETENTION = Duration.days(14);

/** High-throughput FIFO: order within an identity, 3,000 messages per second and more across them. */
export function addFifoQueue(
  scope: Construct,
  id: string,
  deadLetterQueue?: { readonly queue: Queue; readonly maxReceiveCount: number },
): Queue {
  return new Queue(scope, id, {
    fifo: true,
    deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: RETENTION,
    visibilityTimeout: Duration.millis(TIMING.visibility),
    // What is in them was accepted: whoever deletes the stack deletes them by hand, when they are empty.
    removalPolicy: RemovalPolicy.RETAIN,
    ...(deadLetterQueue === undefined ? {} : { deadLetterQueue }),
  });
}

/** What Segment was last given, as fingerprints: losing it costs one repeat of each person's traits. */
export function addDeliveredTable(scope: Construct): Table {
  const table = new Table(scope, "Delivered", {
    partitionKey: { name: "identity", type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: "expiresAt",
    encryption: TableEncryption.DEFAULT,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  Validations.of(table).acknowledge({
    id: "AwsSolutions-DDB3",
    reason: "A cache of fingerprints: what a backup would bring back is out of date, and a loss costs one repeat.",
  });
  return table;
}
