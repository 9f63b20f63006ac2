import { createHmac } from "node:crypto";
import { Agent, request } from "node:http";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";

/** The least that any receive does: one HMAC, and as many bare keep-alive requests. Nothing is parsed, mapped, signed or logged. */
const agent = new Agent({ keepAlive: true });
let secret: Promise<string> | undefined;

function post(endpoint: string, target: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(endpoint, { method: "POST", agent, headers: { "x-amz-target": target } });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    outgoing.end(body);
  });
}

export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const { AWS_ENDPOINT_URL_SSM: ssm = "", AWS_ENDPOINT_URL_SQS: sqs = "", WEBHOOK_SECRET_PARAMETER } = process.env;
  secret ??= post(ssm, "AmazonSSM.GetParameter", JSON.stringify({ Name: WEBHOOK_SECRET_PARAMETER })).then(
    (text) => JSON.parse(text).Parameter.Value,
  );
  createHmac("sha256", await secret)
    .update(event.body ?? "")
    .digest("hex");
  await post(sqs, "AmazonSQS.SendMessageBatch", BODY);
  return { statusCode: 202, body: '{"status":"accepted"}' };
}

const BODY = JSON.stringify({
  QueueUrl: process.env.QUEUE_URL,
  Entries: [{ Id: "0", MessageBody: "x".repeat(500), MessageGroupId: "group", MessageDeduplicationId: "id" }],
});
