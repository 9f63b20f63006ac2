import { AwsCallError, ParameterError } from "../../lambda/errors";
import { resolveOptions } from "../../lambda/options";
import { type ReceiveDependencies, receiveHandler } from "../../lambda/receive/receive";
import { compileSkip } from "../../lambda/receive/skip";
import { bytesOf, evaluationPayload, flagPayload, NOON, SECRET, type WebhookInput, webhookEvent } from "../cloud/events";
import { FakeParameter, FakeQueue, identifyOptions, RecordingLog } from "../support/fakes";
import { fixture } from "../support/fixtures";

const PARAMETER = "/flagsmith-to-segment/test/webhook-secret";

function setUp(overrides: Partial<ReceiveDependencies> = {}) {
  const log = new RecordingLog();
  const queue = new FakeQueue();
  const clock = [NOON];
  const handler = receiveHandler({
    stackName: "stack",
    mapping: identifyOptions,
    reasonToSkip: () => undefined,
    secret: new FakeParameter([SECRET]),
    queue,
    log,
    now: () => clock.shift() ?? NOON + 7,
    budgetMs: 6_000,
    ...overrides,
  });
  const post = async (input: WebhookInput = {}) => {
    const { body, ...response } = await handler(webhookEvent(input), { awsRequestId: "invocation-1" });
    return { ...response, body: JSON.parse(body ?? "") };
  };
  return { post, handler, queue, log };
}

describe("receive", () => {
  it("queues a signed evaluation for its identity and answers 202", async () => {
    const { post, queue, log } = setUp();
    const body = bytesOf(evaluationPayload());
    expect(await post({ body })).toEqual({
      statusCode: 202,
      headers: { "content-type": "application/json" },
      body: { status: "accepted", messageId: "stack-JKJaXmPLvHcESHA=-1" },
    });
    expect(queue.sent).toEqual([
      {
        body: expect.stringContaining('"userId":"user-1"'),
        // printf user-1 | sha256sum
        groupId: "c6c289e49e9c05b2145860387b73bcb18df43fb09a1e4a4a9713c76c88bb541b",
        deduplicationId: "stack-JKJaXmPLvHcESHA=-1",
        attributes: { kind: "identify", version: 1, environment: 23 },
      },
    ]);
    expect(log.line).toMatchObject({
      event: "accepted",
      requestId: "invocation-1",
      apiRequestId: undefined,
      messageId: "stack-JKJaXmPLvHcESHA=-1",
      userId: "user-1",
      environment: 23,
      traitCount: 1,
      calls: 1,
      bytes: body.length,
      durationMs: 7,
    });
  });

  it("names API Gateway's request where no message id does", async () => {
    const { post, log } = setUp();
    await post({ signature: null });
    expect(log.line).toMatchObject({ event: "unauthorized", apiRequestId: "JKJaXmPLvHcESHA=" });
  });

  it("verifies the bytes behind base64, and a byte-order mark among them", async () => {
    const { post } = setUp();
    const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(evaluationPayload())]);
    expect(await post({ body: marked, base64: true })).toMatchObject({ statusCode: 202 });
    expect(await post({ body: marked })).toMatchObject({ statusCode: 202 });
  });

  it("verifies a body with odd spacing and non-ASCII as it is", async () => {
    const { post } = setUp();
    const body = Buffer.from('{"identity" :"ключ",\n  "flags":[ ] }');
    expect(await post({ body })).toMatchObject({ statusCode: 202 });
  });

  it("accepts either secret of a rotation", async () => {
    const { post } = setUp({ secret: new FakeParameter(["old", SECRET]) });
    expect(await post({ secret: "old" })).toMatchObject({ statusCode: 202 });
    expect(await post({ secret: SECRET })).toMatchObject({ statusCode: 202 });
  });

  it("lets nothing outlast the budget: SSM and SQS get its end", async () => {
    const deadlines: (number | undefined)[] = [];
    const { post } = setUp({
      secret: {
        name: PARAMETER,
        get: async (deadline) => {
          deadlines.push(deadline);
          return ["old"];
        },
        refresh: async (deadline) => {
          deadlines.push(deadline);
          return [SECRET];
        },
      },
      queue: {
        send: async (_, deadline) => {
          deadlines.push(deadline);
        },
      },
      now: () => NOON,
    });
    expect(await post()).toMatchObject({ statusCode: 202 });
    expect(deadlines).toEqual([NOON + 6_000, NOON + 6_000, NOON + 6_000]);
  });

  it("takes the signature of a secret that was set since the last read", async () => {
    const secret = new FakeParameter(["old"], [SECRET]);
    const { post } = setUp({ secret });
    expect(await post({ secret: SECRET })).toMatchObject({ statusCode: 202 });
    expect(secret.refreshes).toBe(1);
  });

  it("does not ask SSM again for a signature that fits, nor for one that is missing", async () => {
    const secret = new FakeParameter([SECRET]);
    const { post } = setUp({ secret });
    await post();
    await post({ signature: null });
    expect(secret.refreshes).toBe(0);
    await post({ secret: "forged" });
    expect(secret.refreshes).toBe(1);
  });

  it("queues the parts of a large evaluation in order", async () => {
    const { post, queue, log } = setUp();
    const flags = Array.from({ length: 300 }, (_, i) => flagPayload({ name: `f${i}` }));
    await post({ body: bytesOf(evaluationPayload({ flags })) });
    expect(queue.sent.map(({ deduplicationId }) => deduplicationId)).toEqual([
      "stack-JKJaXmPLvHcESHA=-1",
      "stack-JKJaXmPLvHcESHA=-2",
    ]);
    expect(log.line).toMatchObject({ calls: 2, traitCount: 300 });
  });

  it("says which flags were renamed, overwritten or cut, how many and the first by name", async () => {
    const { post, log } = setUp();
    const names = ["email", "email", "name", "phone", "age", "id", "title"];
    const flags = [...names.map((name) => flagPayload({ name })), flagPayload({ name: "huge", value: "x".repeat(40_000) })];
    await post({ body: bytesOf(evaluationPayload({ flags })) });
    expect(log.line).toMatchObject({
      renamed: "7: flag_email, flag_email, flag_name, flag_phone, flag_age",
      overwritten: "1: flag_email",
      cut: "1: 40009 bytes huge",
    });
  });

  it("ignores another event of Flagsmith's", async () => {
    const { post, queue, log } = setUp();
    const reason = expect.stringMatching(
      /another Flagsmith event, FLAG_UPDATED: this URL belongs in the project's Integrations/,
    );
    expect(await post({ body: fixture("not-identity/env-flag-updated.json") })).toMatchObject({
      statusCode: 200,
      body: { status: "ignored", reason },
    });
    expect(queue.sent).toEqual([]);
    expect(log.line).toMatchObject({ event: "ignored", reason });
  });

  it("does not repeat an event type that is not Flagsmith's", async () => {
    const { post } = setUp();
    const { body } = await post({ body: bytesOf({ event_type: "SOME_SECRET_TEXT" }) });
    expect(body.reason).toMatch(/^not an identity's evaluation but another Flagsmith event: /);
  });

  it.each([
    ["placeholder-identity", {}, "undefined"],
    ["unselected-identity", { identities: { exclude: ["guest*"] } }, "guest-1"],
    ["nameless-identity", { anonymousIdentities: "drop" }, "5d41402abc4b2a76b9719d911017c592"],
  ] as const)("skips an identity as %s, and the entry names it", async (code, options, identity) => {
    const { post, queue, log } = setUp({ reasonToSkip: compileSkip(resolveOptions(options)) });
    const { statusCode, body } = await post({ body: bytesOf(evaluationPayload({ identity })) });
    expect({ statusCode, body }).toMatchObject({ statusCode: 200, body: { status: "ignored" } });
    expect(JSON.stringify(body)).not.toContain(identity);
    expect(queue.sent).toEqual([]);
    expect(log.line).toMatchObject({ event: "ignored", code, userId: identity, environment: 23, reason: body.reason });
    expect(await post()).toMatchObject({ statusCode: 202 });
  });

  it.each<[string, WebhookInput, string]>([
    ["no signature", { signature: null }, "signature-missing"],
    ["a wrong signature", { secret: "wrong" }, "signature-wrong"],
    ["an empty signature", { signature: "" }, "signature-wrong"],
  ])("answers 401 to %s, one text for all", async (_, input, code) => {
    const { post, queue, log } = setUp();
    expect(await post(input)).toMatchObject({
      statusCode: 401,
      body: { status: "unauthorized", reason: "the X-Flagsmith-Signature header is missing or wrong" },
    });
    expect(queue.sent).toEqual([]);
    expect(log.line).toMatchObject({ event: "unauthorized", code, parameter: new FakeParameter([SECRET]).name });
  });

  it("looks at the signature before it looks at the body", async () => {
    const { post } = setUp();
    expect(await post({ body: Buffer.from("not JSON"), secret: "wrong" })).toMatchObject({ statusCode: 401 });
  });

  it("answers 400 to a signed body that is no evaluation, by the path of its fault", async () => {
    const { post, queue, log } = setUp();
    const reason = "identity: expected a non-empty string, got an empty string";
    expect(await post({ body: bytesOf(evaluationPayload({ identity: "" })) })).toMatchObject({
      statusCode: 400,
      body: { status: "invalid", reason },
    });
    expect(queue.sent).toEqual([]);
    expect(log.line).toMatchObject({ event: "invalid", error: { message: reason } });
  });

  it("answers 503 when the secret is missing, and logs the parameter and its remedy", async () => {
    const missing = new ParameterError(PARAMETER, "parameter-missing", "operator", "aws ssm put-parameter …");
    const { post, log } = setUp({ secret: new FakeParameter(missing) });
    expect(await post()).toEqual({
      statusCode: 503,
      headers: { "content-type": "application/json", "retry-after": "1" },
      body: { status: "unavailable", reason: "not queued, send it again" },
    });
    expect(log.line).toMatchObject({ event: "unavailable", error: missing });
  });

  it.each([
    ["the queue is unreachable", new AwsCallError("sqs:SendMessageBatch", "timeout", true)],
    ["something fails that nobody foresaw", new TypeError("a defect")],
  ])("answers 503 when %s: the sender keeps the event", async (_, failure) => {
    const { post, log } = setUp({ queue: new FakeQueue(failure) });
    expect(await post()).toMatchObject({ statusCode: 503, headers: { "retry-after": "1" } });
    expect(log.line).toMatchObject({ event: "unavailable", error: failure });
  });

  it.each([
    ["the console's test event", { key1: "value1" }],
    ["a warmer's", {}],
    ["nothing", undefined],
    ["a batch of SQS's", { Records: [] }],
    ["a request without a body", { headers: {}, requestContext: { requestId: "r" } }],
  ])("says in one line that %s is not a webhook, and fails at nothing", async (_, event) => {
    const { handler, queue, log } = setUp();
    await expect(handler(event, { awsRequestId: "invocation-1" })).resolves.toMatchObject({ statusCode: 200 });
    expect(queue.sent).toEqual([]);
    expect(log.line).toMatchObject({ event: "unknown-source", requestId: "invocation-1" });
  });

  it.each([
    ["a REST API", { headers: {}, body: "{}", requestContext: { requestId: "r", httpMethod: "POST" } }],
    [
      "a load balancer",
      { headers: {}, body: "{}", requestContext: { elb: { targetGroupArn: "arn" } }, isBase64Encoded: false },
    ],
    ["a REST API whose body is empty", { headers: {}, body: null, requestContext: { requestId: "r" } }],
  ])("answers 400 to the request of %s, because its payload is another", async (_, event) => {
    const { handler, queue, log } = setUp();
    const { statusCode, body } = await handler(event, { awsRequestId: "invocation-1" });
    const reason = "expected the payload of an API Gateway HTTP API, format version 2.0";
    expect([statusCode, JSON.parse(body ?? "")]).toEqual([400, { status: "invalid", reason }]);
    expect(queue.sent).toEqual([]);
    expect(log.line).toMatchObject({ event: "invalid", requestId: "invocation-1", reason });
  });
});
