import { createServer, type Server } from "node:http";
import dynalite from "dynalite";

/** `lost-answer`: DynamoDB did it, the answer never comes. `throttled-writes`: reads work. */
export type DynamodbBehaviour = "throttled" | "throttled-writes" | "lost-answer" | "hanging" | undefined;

/** Dynalite, which knows DynamoDB's expressions, behind what may happen on the way. Its memory goes with the process. */
export function createDynamodb(behave: () => DynamodbBehaviour = () => undefined): Server {
  const dynamodb = dynalite({ createTableMs: 0 });
  return createServer((request, response) => {
    const behaviour = behave();
    const isWrite = String(request.headers["x-amz-target"]).endsWith(".PutItem");
    if (behaviour === "hanging") return;
    if (behaviour === "throttled" || (behaviour === "throttled-writes" && isWrite)) {
      request.resume();
      response.writeHead(400).end(JSON.stringify({ __type: "ThrottlingException" }));
      return;
    }
    if (behaviour === "lost-answer") response.end = () => response;
    dynamodb.emit("request", request, response);
  });
}

/** As CloudFormation would from the template's properties. */
export async function createTable(
  endpoint: string,
  name: string,
  properties: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { AttributeDefinitions, KeySchema, BillingMode } = properties;
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "DynamoDB_20120810.CreateTable",
      "x-amz-date": "20260101T000000Z",
      authorization:
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: JSON.stringify({ TableName: name, AttributeDefinitions, KeySchema, BillingMode }),
  });
  if (!answer.ok) throw new Error(`table ${name}: ${await answer.text()}`);
}
