import { awsPatient } from "../doctor/aws";
import { Loopback, type LoopbackRequest, type Reply } from "../support/loopback";

const STACK = "FlagsmithToSegment-production";
const MISSING = "FlagsmithToSegment-nowhere";

const xml = (action: string, result: string): Reply => ({
  headers: { "content-type": "text/xml" },
  body: `<${action}Response xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><${action}Result>${result}</${action}Result></${action}Response>`,
});

const json = (body: object, status = 200): Reply => ({
  status,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify(body),
});

/** CloudFormation's, SSM's and CloudWatch Logs' protocols, as far as the doctor asks. */
function answer({ headers, body }: LoopbackRequest): Reply {
  const target = String(headers["x-amz-target"] ?? "");
  if (target.endsWith(".GetParameter")) {
    const { Name, WithDecryption } = JSON.parse(body);
    if (Name !== "/known" || WithDecryption !== true) return json({ __type: "ParameterNotFound" }, 400);
    return json({ Parameter: { Name, Type: "SecureString", Value: "value" } });
  }
  if (target.endsWith(".FilterLogEvents")) {
    const { logGroupName, filterPattern, nextToken, startTime } = JSON.parse(body);
    if (startTime > Date.now() - 60_000) throw new Error("no room for clocks that differ");
    if (nextToken === undefined) return json({ events: [{ message: "START" }], nextToken: "second" });
    const event = logGroupName === "receive-logs" ? "accepted" : "delivered";
    const message = JSON.stringify({ event, messageId: /"(.+)"/.exec(filterPattern)?.[1] });
    return json({ events: [{ message }] });
  }
  const form = new URLSearchParams(body);
  if (form.get("StackName") === MISSING) {
    const error = `<Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id ${MISSING} does not exist</Message></Error>`;
    return { status: 400, body: `<ErrorResponse>${error}</ErrorResponse>` };
  }
  if (form.get("Action") === "DescribeStacks") {
    const outputs = "<member><OutputKey>WebhookUrl</OutputKey><OutputValue>https://hook</OutputValue></member>";
    return xml(
      "DescribeStacks",
      `<Stacks><member><StackName>${STACK}</StackName><Outputs>${outputs}</Outputs></member></Stacks>`,
    );
  }
  const group = (id: string, name: string, type = "AWS::Logs::LogGroup") =>
    `<member><LogicalResourceId>${id}</LogicalResourceId><PhysicalResourceId>${name}</PhysicalResourceId><ResourceType>${type}</ResourceType></member>`;
  const resources = [
    group("FlagsmithToSegmentReceiveLogsE2", "receive-logs"),
    group("FlagsmithToSegmentDeliverLogsE4", "deliver-logs"),
    group("FlagsmithToSegmentAccessLogs25", "access-logs"),
    group("FlagsmithToSegmentReceive", "function", "AWS::Lambda::Function"),
  ];
  return xml("DescribeStackResources", `<StackResources>${resources.join("")}</StackResources>`);
}

let aws: Loopback;
const before = { ...process.env };

beforeAll(async () => {
  aws = await Loopback.start(answer);
  const services = ["CLOUDFORMATION", "SSM", "CLOUDWATCH_LOGS"].map((name) => [`AWS_ENDPOINT_URL_${name}`, aws.url]);
  Object.assign(process.env, Object.fromEntries(services), {
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "operator",
    AWS_SECRET_ACCESS_KEY: "operator",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  });
});
afterAll(async () => {
  process.env = before;
  await aws.stop();
});

describe("a deployed stack", () => {
  it("gives its outputs, or says that it is not there", async () => {
    await expect(awsPatient(STACK).outputs()).resolves.toEqual({ WebhookUrl: "https://hook" });
    await expect(awsPatient(MISSING).outputs()).resolves.toBeUndefined();
  });

  it("gives a parameter decrypted, or says that it is not there", async () => {
    await expect(awsPatient(STACK).parameter("/known")).resolves.toEqual({ type: "SecureString", value: "value" });
    await expect(awsPatient(STACK).parameter("/unknown")).resolves.toBeUndefined();
  });

  it("gives both functions' lines about a call from every page, and asks for no other log", async () => {
    await expect(awsPatient(STACK).lines("m-1")).resolves.toEqual([
      {},
      { event: "accepted", messageId: "m-1" },
      {},
      { event: "delivered", messageId: "m-1" },
    ]);
    expect(JSON.stringify(aws.requests)).not.toContain("access-logs");
  });
});
