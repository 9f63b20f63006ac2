import { AwsCall } from "../../lambda/adapters/aws-call";
import { TIMING } from "../../lambda/timing";
import { NOON } from "../cloud/events";
import { type Behaviour, Loopback, type LoopbackRequest } from "../support/loopback";
import { machine } from "../support/machine";

let aws: Loopback;

/** Long, because an attempt that times out on a busy machine is one attempt more. */
const timing = { awsAttemptMs: 60_000, awsCallMs: 180_000, awsAttempts: 2, awsPauseMs: 1 };
/** Where the answer never ends. */
const SHORT_MS = 1_000;
const credentials = { accessKeyId: "AKID", secretAccessKey: "secret", sessionToken: "token" };

async function start(
  answer: (request: LoopbackRequest, index: number) => Behaviour,
  service: "ssm" | "sqs" | "dynamodb" = "sqs",
  now = () => NOON,
  awsAttemptMs = timing.awsAttemptMs,
) {
  aws = await Loopback.start(answer);
  return new AwsCall(
    service,
    { region: "eu-west-1", credentials, endpointOf: () => aws.url },
    machine({ now, timing: { ...timing, awsAttemptMs } }),
  );
}
afterEach(() => aws.stop());

const fault = (type: string, status = 400, message = "", date?: string): Behaviour => ({
  status,
  body: JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message }),
  ...(date === undefined ? {} : { headers: { date } }),
});

describe("a call to AWS", () => {
  it.each([
    ["ssm", "AmazonSSM.Act", "application/x-amz-json-1.1"],
    ["sqs", "AmazonSQS.Act", "application/x-amz-json-1.0"],
    ["dynamodb", "DynamoDB_20120810.Act", "application/x-amz-json-1.0"],
  ] as const)("is a signed POST in the JSON protocol of %s", async (service, target, contentType) => {
    const call = await start(() => ({ body: '{"answer":1}' }), service);
    await expect(call.send("Act", { a: "ü" })).resolves.toEqual({ answer: 1 });
    expect(aws.requests).toMatchObject([
      {
        method: "POST",
        path: "/",
        body: '{"a":"ü"}',
        headers: {
          "x-amz-target": target,
          "content-type": contentType,
          "x-amz-date": "20261123T120000Z",
          "x-amz-security-token": "token",
          "user-agent": expect.stringMatching(/^flagsmith-to-segment\/\d/),
          authorization: expect.stringMatching(
            `^AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/${service}/aws4_request, SignedHeaders=.*host.*x-amz-target, Signature=[0-9a-f]{64}$`,
          ),
        },
      },
    ]);
  });

  it.each([
    ["uses its connection again", 0, 1],
    ["uses no connection again after a pause of 4 s, because the other end may have closed it", 4_000, 2],
    ["uses no connection again after the clock went back, because the pause is not known", -1, 2],
  ])("%s", async (_, pauseMs, connections) => {
    let nowMs = NOON;
    const call = await start(
      () => ({}),
      "sqs",
      () => nowMs,
    );
    for (let i = 0; i < 2; i++) await call.send("Act", {});
    nowMs += pauseMs;
    await call.send("Act", {});
    expect(new Set(aws.requests.map(({ clientPort }) => clientPort)).size).toBe(connections);
  });

  it.each<[string, Behaviour, string]>([
    ["a throttle", fault("ThrottlingException"), "ThrottlingException"],
    ["another throttle", fault("TooManyRequestsException"), "TooManyRequestsException"],
    ["a request limit", fault("RequestLimitExceeded"), "RequestLimitExceeded"],
    ["a throttle of a table", fault("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"],
    ["a slow-down", fault("SlowDown"), "SlowDown"],
    ["an error of AWS", fault("InternalError", 500), "InternalError"],
    ["a proxy's answer", { status: 503, body: "<html>" }, "http-503"],
    ["a 408", { status: 408 }, "http-408"],
    ["a 429", { status: 429 }, "http-429"],
    ["a 200 that is not JSON", { body: "<html>" }, "no-json"],
    ["a 200 that is too long", { body: `"${"x".repeat(2 ** 20)}"` }, "no-json"],
    ["a reset", "reset", "ECONNRESET"],
    ["no answer", "hang", "timeout"],
    ["headers that arrive byte by byte", "drip", "timeout"],
    ["a 200 whose body arrives byte by byte", { rest: "drips" }, "no-json"],
    ["a 200 whose body breaks off", { rest: "breaks" }, "no-json"],
    ["a 200 whose body never ends", { rest: "stalls" }, "no-json"],
    ["an answer that is not HTTP", "garbage", "HPE_INVALID_CONSTANT"],
  ])("is retried after %s, and its error then says that AWS must act", async (_, behaviour, code) => {
    const { rest } = Object(behaviour);
    const endless = behaviour === "hang" || behaviour === "drip" || rest === "stalls" || rest === "drips";
    const startWith = (answer: (index: number) => Behaviour) =>
      start((_, index) => answer(index), "sqs", undefined, endless ? SHORT_MS : undefined);
    const call = await startWith((index) => (index === 0 ? behaviour : {}));
    await expect(call.send("Act", {})).resolves.toEqual({});
    await aws.stop();
    const failing = await startWith(() => behaviour);
    await expect(failing.send("Act", {})).rejects.toMatchObject({
      message: expect.stringContaining("sqs:Act"),
      code,
      retryable: true,
      actor: "aws",
    });
    expect(aws.requests).toHaveLength(timing.awsAttempts);
  });

  it.each<[string, Behaviour, string]>([
    ["a wrong request", fault("QueueDoesNotExist"), "QueueDoesNotExist"],
    ["a redirect", { status: 301, headers: { location: "/" } }, "http-301"],
    [
      "a wrong signature",
      fault("InvalidSignatureException", 403, "The request signature we calculated does not match"),
      "InvalidSignatureException",
    ],
  ])("is not retried after %s, and its error says that the operator must act", async (_, behaviour, code) => {
    const call = await start(() => behaviour);
    await expect(call.send("Act", {})).rejects.toMatchObject({ code, retryable: false, actor: "operator" });
    expect(aws.requests).toHaveLength(1);
  });

  it("has AWS's message in its error only if access was refused, because other messages may quote the request", async () => {
    for (const code of [
      "AccessDeniedException",
      "NotAuthorized",
      "UnrecognizedClientException",
      "KMSDisabled",
      "InvalidKeyId",
    ]) {
      const refused = await start(() => fault(code, 400, "role x may not read y"));
      await expect(refused.send("Act", {})).rejects.toThrow(`sqs:Act failed: ${code} (role x may not read y)`);
      await aws.stop();
    }
    const invalid = await start(() => fault("InvalidMessageContents", 400, "trait value"));
    await expect(invalid.send("Act", {})).rejects.toThrow(/^sqs:Act failed: InvalidMessageContents$/);
  });

  it.each([
    ["RequestExpired", ""],
    ["RequestTimeTooSkewed", ""],
    ["RequestInTheFuture", ""],
    ["InvalidSignatureException", "Signature expired: 20261123T115000Z is now earlier than 20261123T115500Z"],
    ["InvalidSignatureException", "Signature not yet current: 20261123T120000Z is still later than 20261123T115500Z"],
  ])("corrects its clock by the answer's date after %s %s, for later calls as well", async (type, message) => {
    const ahead = new Date(NOON + 600_000).toUTCString();
    const call = await start((_, index) => (index === 0 ? fault(type, 403, message, ahead) : {}));
    await call.send("Act", {});
    await call.send("Act", {});
    expect(aws.requests.map(({ headers }) => headers["x-amz-date"])).toEqual([
      "20261123T120000Z",
      "20261123T121000Z",
      "20261123T121000Z",
    ]);
  });

  it("has an error that says that AWS must act if the clock stays wrong", async () => {
    const call = await start(() => fault("RequestExpired"));
    await expect(call.send("Act", {})).rejects.toMatchObject({ code: "RequestExpired", actor: "aws" });
  });

  it("has the error of its last complete attempt if the deadline ends another attempt", async () => {
    const call = await start((_, index) => (index === 0 ? "reset" : "hang"));
    await expect(call.send("Act", {}, NOON + SHORT_MS)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("has no attempt that begins or ends after the deadline", async () => {
    let now = NOON;
    const call = await start(
      () => {
        now += 2 * SHORT_MS;
        return "hang";
      },
      "sqs",
      () => now,
    );
    await expect(call.send("Act", {}, NOON + SHORT_MS)).rejects.toMatchObject({ code: "timeout" });
    expect(aws.requests).toHaveLength(1);
  });

  it("has a limited number of attempts, with a random pause before each", async () => {
    let drawn = 0;
    const random = () => {
      drawn++;
      return 0;
    };
    aws = await Loopback.start(() => fault("ThrottlingException"));
    const options = { region: "eu-west-1", credentials, endpointOf: () => aws.url };
    const call = new AwsCall(
      "sqs",
      options,
      machine({ random, timing: { ...timing, awsAttempts: TIMING.awsAttempts, awsMaxPauseMs: 1 } }),
    );
    await expect(call.send("Act", {})).rejects.toMatchObject({ code: "ThrottlingException" });
    expect(drawn).toBe(TIMING.awsAttempts);
    expect(aws.requests).toHaveLength(TIMING.awsAttempts);
  });
});
