import { Annotations, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { TIMING } from "../lambda/timing";

interface FifoQueueProps extends Pick<QueueProps, "deadLetterQueue"> {
  readonly encryptionKey: IKey | undefined;
}

/** A high-throughput FIFO queue: it keeps the order per user, and handles 3,000 messages per second or more across users. */
export function addFifoQueue(scope: Construct, id: string, { encryptionKey, ...props }: FifoQueueProps): Queue {
  return new Queue(scope, id, {
    ...props,
    fifo: true,
    deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    ...(encryptionKey === undefined
      ? { encryption: QueueEncryption.SQS_MANAGED }
      : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    visibilityTimeout: Duration.millis(TIMING.visibilityMs),
    // The messages are evaluations that were answered with 202, so deleting the stack keeps the queues, and the operator deletes them by
    // hand. A first deploy that fails leaves no queue behind.
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
}

/** The table of the records: fingerprints of what Segment has. If it is lost, each user's traits are sent once more. */
export function addDeliveredTable(scope: Construct, encryptionKey: IKey | undefined): Table {
  return new Table(scope, "Delivered", {
    partitionKey: { name: "identity", type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: "expiresAt",
    ...(encryptionKey === undefined
      ? { encryption: TableEncryption.DEFAULT }
      : { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey }),
    removalPolicy: RemovalPolicy.DESTROY,
  });
}

/**
 * Log groups need a statement in the key's policy. The policy of an imported key can't be changed from here, so synth warns and shows
 * the statement to add.
 */
export function letLogsUse(scope: Construct, key: IKey): void {
  const { region, account, partition, urlSuffix } = Stack.of(scope);
  const statement = new PolicyStatement({
    sid: "FlagsmithToSegmentLogs",
    principals: [new ServicePrincipal(`logs.${region}.${urlSuffix}`)],
    actions: ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
    resources: ["*"],
    conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${account}:log-group:*` } },
  });
  if (key.addToResourcePolicy(statement, true).statementAdded) return;
  const text = JSON.stringify(Stack.of(scope).resolve(statement.toStatementJson()));
  const message = `The policy of encryptionKey must let CloudWatch Logs use the key, or the deploy fails. Add this statement to it: ${text}`;
  Annotations.of(scope).addWarningV2("flagsmith-to-segment:encryption-key", message);
}
