import { type Delivered, decodeDelivered, encodeDelivered } from "../domain/changes";
import { AwsCallError } from "../domain/errors";
import { isJsonObject } from "../domain/json";
import type { AwsJson } from "./aws-json";

/** A person's item. */
export interface DeliveredItem {
  readonly delivered: Delivered;
  /** SQS's sequence number of the last message that was recorded; rises within an identity. */
  readonly sequence: bigint;
}

/** The DynamoDB table of what was last delivered, one item a person, under the hash of the identity. */
export class DeliveredTable {
  readonly #dynamodb: Pick<AwsJson, "call">;
  readonly #name: string;

  constructor(dynamodb: Pick<AwsJson, "call">, name: string) {
    this.#dynamodb = dynamodb;
    this.#name = name;
  }

  /** Strongly consistent; undefined = nothing is known of this person. @throws AwsCallError */
  async read(identityHash: string): Promise<DeliveredItem | undefined> {
    const answer = await this.#dynamodb.call("GetItem", {
      TableName: this.#name,
      Key: { identity: { S: identityHash } },
      ConsistentRead: true,
    });
    const item = isJsonObject(answer) ? answer.Item : undefined;
    const traits = attribute(item, "traits", "B");
    const sequence = attribute(item, "sequence", "N");
    if (traits === undefined || sequence === undefined) return undefined;
    return { delivered: decodeDelivered(Buffer.from(traits, "base64")), sequence: BigInt(sequence) };
  }

  /**
   * Replaces the item, unless it holds this message or a later one already: then a second delivery of the same message was
   * faster, and what it wrote stands.
   *
   * @throws AwsCallError
   */
  async write(identityHash: string, item: DeliveredItem, expiresAt: number): Promise<void> {
    const sequence = { N: String(item.sequence) };
    try {
      await this.#dynamodb.call("PutItem", {
        TableName: this.#name,
        Item: {
          identity: { S: identityHash },
          sequence,
          traits: { B: encodeDelivered(item.delivered).toString("base64") },
          expiresAt: { N: String(Math.ceil(expiresAt)) },
        },
        ConditionExpression: "attribute_not_exists(#identity) OR #sequence < :sequence",
        ExpressionAttributeNames: { "#identity": "identity", "#sequence": "sequence" },
        ExpressionAttributeValues: { ":sequence": sequence },
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
