import timers from "node:timers/promises";
import { AwsCall } from "../../lambda/adapters/aws-call";
import type { AwsService } from "../../lambda/config";
import { TIMING } from "../../lambda/timing";
import { NOON } from "../cloud/events";
import { type Behaviour, Loopback } from "../support/loopback";
import { type MachineOverrides, machine } from "../support/machine";

let aws: Loopback;

/** Long, because an attempt that times out on a busy machine is one attempt more. */
const long = { awsAttemptMs: 60_000, awsCallMs: 180_000, awsAttempts: 2, awsPauseMs: 1 };
/** Where the answer never ends. */
const SHORT_MS = 1_000;
const credentials = { accessKeyId: "AKID", secretAccessKey: "secret", sessionToken: "token" };

/** A service that answers each attempt as `answer` says, by its number from 0. */
async function start(answer: (index: number) => Behaviour, overrides: MachineOverrides = {}, service: AwsService = "sqs") {
  aws = await Loopback.start((_, index) => answer(index));
  const options = { region: "eu-west-1", credentials, endpointOf: () => aws.url };
  return new AwsCall(service, options, machine({ ...overrides, timing: { ...long, ...overrides.timing } }));
}
afterEach(() => {
  jest.restoreAllMocks();
  return aws.stop();
});

const fault = (type: string, status = 400, message = "", headers: Record<string, string> = {}): Behaviour => {
  return { status, headers, body: JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message }) };
};

describe("a call to AWS", () => {
  it.each([
    ["ssm", "AmazonSSM.Act", "application/x-amz-json-1.1"],
    ["sqs", "AmazonSQS.Act", "application/x-amz-json-1.0"],
    ["dynamodb", "DynamoDB_20120810.Act", "application/x-amz-json-1.0"],
  ] as const)("is a signed POST in the JSON protocol of %s", async (service, target, contentType) => {
    const call = await start(() => ({ body: '{"answer":1}' }), {}, service);
    await expect(call.send("Act", { a: "ü" })).resolves.toEqual({ answer: 1 });
    const scope = `AKID/20261123/eu-west-1/${service}/aws4_request`;
    const signature = `Credential=${scope}, SignedHeaders=.*host.*x-amz-target, Signature=[0-9a-f]{64}`;
    const headers = {
      "x-amz-target": target,
      "content-type": contentType,
      "x-amz-date": "20261123T120000Z",
      "x-amz-security-token": "token",
      "user-agent": expect.stringMatching(/^flagsmith-to-segment\/\d/),
      authorization: expect.stringMatching(`^AWS4-HMAC-SHA256 ${signature}$`),
    };
    expect(aws.requests).toMatchObject([{ method: "POST", path: "/", body: '{"a":"ü"}', headers }]);
  });

  it.each([
    ["uses its connection again", 0, 1],
    ["uses no connection again after a pause of 4 s, because the other end may have closed it", 4_000, 2],
    ["uses no connection again after the clock went back, because the pause is not known", -1, 2],
  ])("%s", async (_, pauseMs, connections) => {
    let nowMs = NOON;
    const call = await start(() => ({}), { now: () => nowMs });
    for (let i = 0; i < 2; i++) await call.send("Act", {});
    nowMs += pauseMs;
    await call.send("Act", {});
    expect(new Set(aws.requests.map(({ clientPort }) => clientPort)).size).toBe(connections);
  });

  it.each<[string, Behaviour, string, number?]>([
    ["a throttle", fault("ThrottlingException"), "ThrottlingException"],
    ["another throttle", fault("TooManyRequestsException"), "TooManyRequestsException"],
    ["a request limit", fault("RequestLimitExceeded"), "RequestLimitExceeded"],
    ["a throttle of a table", fault("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"],
    ["a slow-down", fault("SlowDown"), "SlowDown"],
    ["an error of AWS", fault("InternalError", 500), "InternalError"],
    ["a clock that stays wrong", fault("RequestExpired"), "RequestExpired"],
    ["a proxy's answer", { status: 503, body: "<html>" }, "http-503"],
    ["a 408", { status: 408 }, "http-408"],
    ["a 429", { status: 429 }, "http-429"],
    ["a 200 that is not JSON", { body: "<html>" }, "no-json"],
    ["a 200 that is too long", { body: `"${"x".repeat(2 ** 20)}"` }, "no-json"],
    ["a reset", "reset", "ECONNRESET"],
    ["an answer that is not HTTP", "garbage", "HPE_INVALID_CONSTANT"],
    ["a 200 whose body breaks off", { rest: "breaks" }, "no-json"],
    ["no answer", "hang", "timeout", SHORT_MS],
    ["headers that arrive byte by byte", "drip", "timeout", SHORT_MS],
    ["a 200 whose body arrives byte by byte", { rest: "drips" }, "no-json", SHORT_MS],
    ["a 200 whose body never ends", { rest: "stalls" }, "no-json", SHORT_MS],
  ])(
    "is retried after %s, and its error then says that AWS must act",
    async (_, behaviour, code, awsAttemptMs = long.awsAttemptMs) => {
      const call = await start(() => behaviour, { timing: { awsAttemptMs } });
      const message = expect.stringContaining("sqs:Act");
      await expect(call.send("Act", {})).rejects.toMatchObject({ message, code, retryable: true, actor: "aws" });
      expect(aws.requests).toHaveLength(long.awsAttempts);
    },
  );

  const otherSignature = fault("InvalidSignatureException", 403, "The request signature we calculated does not match");

  it.each<[string, Behaviour, string]>([
    ["a wrong request", fault("QueueDoesNotExist"), "QueueDoesNotExist"],
    ["a redirect", { status: 301, headers: { location: "/" } }, "http-301"],
    ["a wrong signature", otherSignature, "InvalidSignatureException"],
  ])("is not retried after %s, and its error says that the operator must act", async (_, behaviour, code) => {
    const call = await start(() => behaviour);
    await expect(call.send("Act", {})).rejects.toMatchObject({ code, retryable: false, actor: "operator" });
    expect(aws.requests).toHaveLength(1);
  });

  const refusals = ["AccessDeniedException", "NotAuthorized", "UnrecognizedClientException", "KMSDisabled", "InvalidKeyId"];

  it.each(refusals)("has AWS's message in its error if access was refused: %s", async (code) => {
    const messages = [{ message: "role x may not read y" }, { Message: "role x may not read y" }];
    const call = await start((index) => ({ status: 400, body: JSON.stringify({ __type: code, ...messages[index] }) }));
    for (const _ of messages) {
      await expect(call.send("Act", {})).rejects.toThrow(`sqs:Act failed: ${code} (role x may not read y)`);
    }
  });

  it("has no other message of AWS in its error, because it may quote the request", async () => {
    const call = await start(() => fault("InvalidMessageContents", 400, "trait value"));
    await expect(call.send("Act", {})).rejects.toThrow(/^sqs:Act failed: InvalidMessageContents$/);
  });

  it.each([
    ["RequestExpired", ""],
    ["RequestTimeTooSkewed", ""],
    ["RequestInTheFuture", ""],
    ["InvalidSignatureException", "Signature expired: 20261123T115000Z is now earlier than 20261123T115500Z"],
    ["InvalidSignatureException", "Signature not yet current: 20261123T120000Z is still later than 20261123T115500Z"],
  ])("corrects its clock by the answer's date after %s %s, for later calls as well", async (type, message) => {
    const date = new Date(NOON + 600_000).toUTCString();
    const call = await start((index) => (index === 0 ? fault(type, 403, message, { date }) : {}));
    for (let i = 0; i < 2; i++) await expect(call.send("Act", {})).resolves.toEqual({});
    const dates = aws.requests.map(({ headers }) => headers["x-amz-date"]);
    expect(dates).toEqual(["20261123T120000Z", "20261123T121000Z", "20261123T121000Z"]);
  });

  it.each([
    ["its last complete attempt if the deadline ends another attempt", long.awsAttemptMs, NOON + SHORT_MS, "ECONNRESET"],
    ["its last attempt if that had all its time", SHORT_MS, undefined, "timeout"],
  ])("has the error of %s", async (_, awsAttemptMs, deadlineMs, code) => {
    const call = await start((index) => (index === 0 ? "reset" : "hang"), { timing: { awsAttemptMs } });
    await expect(call.send("Act", {}, deadlineMs)).rejects.toMatchObject({ code });
  });

  it("has no pause that would end after the deadline", async () => {
    const call = await start(() => "reset", { timing: { awsPauseMs: 4 * SHORT_MS, awsMaxPauseMs: 4 * SHORT_MS } });
    await expect(call.send("Act", {}, NOON + SHORT_MS)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(aws.requests).toHaveLength(1);
  });

  it("has no attempt that begins or ends after the deadline", async () => {
    let nowMs = NOON;
    const hang = () => {
      nowMs += 2 * SHORT_MS;
      return "hang" as const;
    };
    const timeout = jest.spyOn(globalThis, "setTimeout");
    const call = await start(hang, { now: () => nowMs });
    await expect(call.send("Act", {}, NOON + SHORT_MS)).rejects.toMatchObject({ code: "timeout" });
    expect(timeout.mock.calls.map(([, ms]) => ms)).not.toContain(long.awsAttemptMs);
    expect(aws.requests).toHaveLength(1);
  });

  it.each([
    [0, [25, 50, 100, 200, 400, 500, 500, 500, 500, 500, 500]],
    [1, [50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000]],
  ])("has 12 attempts at most, with a pause before each that doubles and is random: %d, %j", async (random, pauses) => {
    const sleep = jest.spyOn(timers, "setTimeout").mockResolvedValue(undefined);
    const { awsAttempts, awsPauseMs, awsMaxPauseMs } = TIMING;
    const timing = { awsAttempts, awsPauseMs, awsMaxPauseMs };
    const call = await start(() => fault("ThrottlingException"), { random: () => random, timing });
    await expect(call.send("Act", {})).rejects.toMatchObject({ code: "ThrottlingException" });
    expect(sleep.mock.calls).toEqual(pauses.map((ms) => [ms]));
    expect(aws.requests).toHaveLength(12);
  });
});
