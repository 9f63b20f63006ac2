import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Template } from "aws-cdk-lib/assertions";
import { composeDeliver, composeReceive } from "../../lambda/wiring";
import type { Environments } from "../cloud/environments";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { bodyOf } from "../cloud/server";
import { type AwsUse, allows, type Statement, statementsOf } from "../support/policy";
import { templateOf } from "../support/synth";
import { type Pipeline, startPipeline } from "./pipeline";

type Caller = "receive" | "deliver";
type Use = AwsUse & { readonly caller: Caller };

const KEY = "arn:aws:kms:us-east-1:000000000000:key/1";
const PARAMETER = "arn:aws:ssm:us-east-1:000000000000:parameter";

const uses: Use[] = [];
const proxies: Server[] = [];
let template: Template;
let statements: readonly Statement[];
let pipeline: Pipeline;

/** Records who calls what, and passes it on. */
async function recordingProxy(target: string, record: (caller: Caller, action: string, input: Input) => void) {
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const [, caller = ""] = /Credential=(\w+)\//.exec(request.headers.authorization ?? "") ?? [];
    const action = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    record(caller === "receive" ? "receive" : "deliver", action, JSON.parse(body.toString()));
    const headers = Object.entries(request.headers).filter(([name]) => /^(x-amz-|content-type|authorization)/.test(name));
    const answer = await fetch(target, {
      method: "POST",
      headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
      body: new Uint8Array(body),
    });
    response.writeHead(answer.status).end(await answer.text());
  });
  proxies.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Input = { readonly QueueUrl: string; readonly Name: string; readonly TableName: string };

/** `SendMessageBatch` needs the permission `sqs:SendMessage`. */
function recordSqs(caller: Caller, action: string, { QueueUrl: url }: Input): void {
  const queue = /\/([^/]+)\.fifo$/.exec(url)?.[1];
  uses.push({ caller, action: `sqs:${action.replace("Batch", "")}`, resource: `arn of ${queue}` });
}

/** SSM decrypts with the customer's key and the caller's role. */
function recordSsm(caller: Caller, action: string, { Name: name }: Input): void {
  const resource = PARAMETER + name;
  const context = { "kms:EncryptionContext:PARAMETER_ARN": resource };
  uses.push({ caller, action: `ssm:${action}`, resource });
  uses.push({ caller, action: "kms:Decrypt", resource: KEY, context });
}

function recordDynamodb(caller: Caller, action: string, { TableName: table }: Input): void {
  uses.push({ caller, action: `dynamodb:${action}`, resource: `arn of ${table}` });
}

async function load({ receive, deliver }: Environments) {
  const { AWS_ENDPOINT_URL_SQS: sqs = "", AWS_ENDPOINT_URL_SSM: ssm = "", AWS_ENDPOINT_URL_DYNAMODB: dynamodb = "" } = receive;
  const endpoints = {
    AWS_ENDPOINT_URL_SQS: await recordingProxy(sqs, recordSqs),
    AWS_ENDPOINT_URL_SSM: await recordingProxy(ssm, recordSsm),
    AWS_ENDPOINT_URL_DYNAMODB: await recordingProxy(dynamodb, recordDynamodb),
  };
  const as = (caller: Caller, environment: Environments[Caller]) => ({
    ...environment,
    ...endpoints,
    AWS_ACCESS_KEY_ID: caller,
  });
  return { receive: composeReceive(as("receive", receive)), deliver: composeDeliver(as("deliver", deliver)) };
}

/** An integration run that uses everything the functions can. */
beforeAll(async () => {
  const options = { kmsKeyArn: KEY, forward: "changes" } as const;
  template = templateOf(options);
  statements = statementsOf(template);
  pipeline = await startPipeline({ load, options });
  // Lambda's event source works with deliver's role.
  pipeline.cloud.sqs.middlewareStack.add(
    (next, { commandName = "" }) =>
      (args) => {
        recordSqs("deliver", commandName.replace("Command", ""), Object(args.input));
        return next(args);
      },
    { step: "initialize" },
  );
  // One call is retried, one message is moved to the dead-letter queue.
  pipeline.cloud.segment.refusals.push(500);
  await pipeline.post(bytesOf(evaluationPayload({ identity: "refused" })));
  pipeline.cloud.queue.queue.send({ body: "hello", groupId: "g", deduplicationId: "d", attributes: {} });
  await pipeline.until(() => pipeline.log.some(({ event }) => event === "retrying"));
  await pipeline.until(() => pipeline.log.some(({ event }) => event === "dead-lettered"));
  const { messageId } = await pipeline.post(bytesOf(evaluationPayload()));
  await pipeline.identify(messageId);
  await pipeline.until(() => pipeline.log.some(({ event }) => event === "delivered"));
  for (const { service } of pipeline.log) {
    const caller = service === "receive" ? "receive" : "deliver";
    const group = `FlagsmithToSegment${caller === "receive" ? "Receive" : "Deliver"}Logs`;
    const resource = statements.flatMap(({ resources }) => resources).find((arn) => arn.includes(group)) ?? group;
    // The runtime makes a stream for each container and writes the lines to it.
    uses.push({ caller, action: "logs:CreateLogStream", resource }, { caller, action: "logs:PutLogEvents", resource });
  }
});
afterAll(async () => {
  await pipeline.stop();
  for (const proxy of proxies) {
    proxy.closeAllConnections();
    proxy.close();
  }
});

const ofRole = (caller: Caller) => statements.filter(({ role }) => role.includes(caller === "receive" ? "Receive" : "Deliver"));

describe("the synthesized policies", () => {
  it("allow each call that the functions made", () => {
    const refused = uses.filter((use) => !ofRole(use.caller).some((statement) => allows(statement, use)));
    expect(refused).toEqual([]);
    expect(new Set(uses.map(({ caller, action }) => `${caller} ${action}`))).toEqual(
      new Set([
        "receive ssm:GetParameter",
        "receive kms:Decrypt",
        "receive sqs:SendMessage",
        "receive logs:CreateLogStream",
        "receive logs:PutLogEvents",
        "deliver ssm:GetParameter",
        "deliver kms:Decrypt",
        "deliver sqs:SendMessage",
        "deliver dynamodb:GetItem",
        "deliver dynamodb:PutItem",
        "deliver sqs:ChangeMessageVisibility",
        "deliver sqs:ReceiveMessage",
        "deliver sqs:DeleteMessage",
        "deliver logs:CreateLogStream",
        "deliver logs:PutLogEvents",
      ]),
    );
  });

  it("allow no action that no call needs, except what Lambda requires of an event source", () => {
    expect(statements).toHaveLength(ofRole("receive").length + ofRole("deliver").length);
    expect(JSON.stringify(template.findResources("AWS::IAM::Role"))).not.toContain("ManagedPolicyArns");
    const given = statements.flatMap(({ role, actions, resources }) =>
      actions.flatMap((action) => resources.map((resource) => ({ role, action, resource }))),
    );
    const needless = given.filter(
      ({ role, action, resource }) =>
        !uses.some((use) => role.toLowerCase().includes(use.caller) && use.action === action && use.resource === resource),
    );
    expect(needless.map(({ action }) => action)).toEqual(["sqs:GetQueueAttributes"]);
  });

  it("allow a customer's key to decrypt only the parameter of the function", () => {
    const decrypting = statements.filter(({ actions }) => actions.includes("kms:Decrypt"));
    const conditions = { "kms:EncryptionContext:PARAMETER_ARN": expect.stringContaining(":parameter/flagsmith-to-segment/") };
    expect(decrypting.map((each) => each.conditions)).toEqual([conditions, conditions]);
  });
});
