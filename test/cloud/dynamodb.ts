import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import dynalite from "dynalite";

/** `lost-answer`: DynamoDB executes the request, but its answer never arrives. `throttled-writes`: only writes are throttled. */
export type DynamodbBehaviour = "throttled" | "throttled-writes" | "lost-answer" | "hanging" | undefined;

/**
 * Puts failures in front of Dynalite, which implements DynamoDB's expressions. A read that does not ask for consistency finds
 * nothing, because such a read may miss any write. The data exists only as long as the process.
 */
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
    else if (String(request.headers["x-amz-target"]).endsWith(".GetItem")) missUnlessConsistent(request, response);
    dynamodb.emit("request", request, response);
  });
}

/** Replaces the answer to an eventually consistent read with one that has no item. */
function missUnlessConsistent(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  const end = response.end.bind(response);
  response.end = (...answer: never[]) => {
    const { ConsistentRead } = JSON.parse(Buffer.concat(chunks).toString());
    if (ConsistentRead === true || response.statusCode !== 200) return end(...answer);
    return response.setHeader("content-length", 2) && end("{}");
  };
}

/** Creates a table from the template's properties, as CloudFormation does. */
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
