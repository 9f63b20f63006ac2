import { AwsCallError } from "../errors";
import { isJsonObject } from "../json";
import type { AwsCall } from "./aws-call";

/** A person's item. */
export interface DeliveredItem {
  /** Encoded by whoever writes it. */
  readonly traits: Buffer;
  /** SQS's sequence number of the last message that was recorded; rises within an identity. */
  readonly sequence: bigint;
}

/** The DynamoDB table of what was last delivered, one item per person, under the hash of the identity. */
export class DeliveredTable {
  constructor(
    private readonly dynamodb: Pick<AwsCall, "send">,
    private readonly name: string,
  ) {}

  /** Strongly consistent; undefined = nothing is known of this person. @throws AwsCallError */
  async read(identityHash: string): Promise<DeliveredItem | undefined> {
    const key = { TableName: this.name, Key: { identity: { S: identityHash } } };
    const answer = await this.dynamodb.send("GetItem", { ...key, ConsistentRead: true });
    const item = isJsonObject(answer) ? answer.Item : undefined;
    const traits = attribute(item, "traits", "B");
    const sequence = attribute(item, "sequence", "N");
    if (traits === undefined || sequence === undefined) return undefined;
    return { traits: Buffer.from(traits, "base64"), sequence: BigInt(sequence) };
  }

  /**
   * Replaces the item, unless it holds this message or a later one already: then a second delivery was faster, and what it wrote
   * stands. `expiresAt` in seconds since 1970. @throws AwsCallError
   */
  async write(identityHash: string, { traits, sequence }: DeliveredItem, expiresAt: number): Promise<void> {
    const number = { N: String(sequence) };
    const written = { traits: { B: traits.toString("base64") }, expiresAt: { N: String(Math.ceil(expiresAt)) } };
    try {
      await this.dynamodb.send("PutItem", {
        TableName: this.name,
        Item: { identity: { S: identityHash }, sequence: number, ...written },
        ConditionExpression: "attribute_not_exists(#identity) OR #sequence < :sequence",
        ExpressionAttributeNames: { "#identity": "identity", "#sequence": "sequence" },
        ExpressionAttributeValues: { ":sequence": number },
      });
    } catch (error) {
      if (!(error instanceof AwsCallError) || error.code !== "ConditionalCheckFailedException") throw error;
    }
  }
}

function attribute(item: unknown, name: string, type: "B" | "N"): string | undefined {
  const typed = isJsonObject(item) ? item[name] : undefined;
  const value = isJsonObject(typed) ? typed[type] : undefined;
  return typeof value === "string" ? value : undefined;
}
