import { AwsCallError, ParameterError } from "../../lambda/errors";
import { resolveOptions } from "../../lambda/options";
import { type ReceiveDependencies, receiveHandler } from "../../lambda/receive/receive";
import { compileSkip } from "../../lambda/receive/skip";
import { bytesOf, evaluationPayload, flagPayload, NOON, SECRET, type WebhookInput, webhookEvent } from "../cloud/events";
import { FakeParameter, FakeQueue, identifyOptions, RecordingLog } from "../support/fakes";
import { fixture } from "../support/fixtures";

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

const json = { "content-type": "application/json" };

describe("an evaluation with the right signature", () => {
  it("is queued in the message group of its user, answered with 202 and logged", async () => {
    const { post, queue, log } = setUp();
    const body = bytesOf(evaluationPayload());
    const messageId = "stack-JKJaXmPLvHcESHA=-1";
    expect(await post({ body, at: NOON - 60_000 })).toEqual({
      statusCode: 202,
      headers: json,
      body: { status: "accepted", messageId },
    });
    expect(queue.sent).toEqual([
      {
        // The time at which API Gateway received it.
        body: expect.stringMatching(/"userId":"user-1".*"timestamp":"2026-11-23T11:59:00.000Z"/),
        // printf user-1 | sha256sum
        groupId: "c6c289e49e9c05b2145860387b73bcb18df43fb09a1e4a4a9713c76c88bb541b",
        deduplicationId: messageId,
        attributes: { kind: "identify", version: 1, environment: 23 },
      },
    ]);
    const about = { requestId: "invocation-1", apiRequestId: undefined, messageId, userId: "user-1", environment: 23 };
    const size = { traitCount: 1, calls: 1, bytes: body.length, durationMs: 7 };
    expect(log.entry).toMatchObject({ event: "accepted", ...about, ...size });
  });

  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(evaluationPayload())]);

  it.each<[string, WebhookInput]>([
    ["in base64", { base64: true }],
    ["with a byte-order mark", { body: marked }],
    ["with a byte-order mark, in base64", { body: marked, base64: true }],
    ["with odd spacing and other scripts", { body: Buffer.from('{"identity" :"ключ",\n  "flags":[ ] }') }],
  ])("is verified by its exact bytes: %s", async (_, input) => {
    expect(await setUp().post(input)).toMatchObject({ statusCode: 202 });
  });

  it("has API Gateway's request id in its entry if the message id does not contain it", async () => {
    const { post, log } = setUp({ stackName: "S".repeat(128) });
    await post();
    expect(log.entry).toMatchObject({ event: "accepted", apiRequestId: "JKJaXmPLvHcESHA=" });
  });

  it("is queued in several messages, in order and as SQS accepts them, the last one with the variations", async () => {
    const mapping = { ...identifyOptions, selectsExperiment: (name: string) => name === "f0" };
    const { post, queue, log } = setUp({ mapping });
    const flags = Array.from({ length: 300 }, (_, i) => flagPayload({ name: `f${i}`, value: "\uFFFF" }));
    await post({ body: bytesOf(evaluationPayload({ flags })) });
    const ids = queue.sent.map(({ deduplicationId }) => deduplicationId);
    expect(ids).toEqual(["stack-JKJaXmPLvHcESHA=-1", "stack-JKJaXmPLvHcESHA=-2"]);
    expect(queue.sent.map(({ attributes }) => attributes.experiments)).toEqual([undefined, '{"f0":"\\uffff"}']);
    expect(queue.sent[0]?.body).toContain('"f0":"\\uffff"');
    expect(log.entry).toMatchObject({ calls: 2, traitCount: 300, messageId: ids[0] });
  });

  it("has an entry with the number and the first names of flags that were renamed, overwritten, cut or that a warehouse loses", async () => {
    const { post, log } = setUp();
    const names = ["email", "email", "name", "phone", "age", "id", "title", "uuid", "darkMode", "dark_mode"];
    const flags = [...names.map((name) => flagPayload({ name })), flagPayload({ name: "huge", value: "x".repeat(40_000) })];
    await post({ body: bytesOf(evaluationPayload({ flags })) });
    expect(log.entry).toMatchObject({
      renamed: "7: flag_email, flag_email, flag_name, flag_phone, flag_age",
      overwritten: "1: flag_email",
      cut: "1: 40009 bytes huge",
      reservedColumns: "1: uuid",
      sameColumn: "2: darkMode, dark_mode",
    });
  });

  it("has until the end of one budget for SQS and for SSM, whose secret may have been changed", async () => {
    const deadlines: (number | undefined)[] = [];
    const answer = async (deadlineMs: number | undefined, lines: readonly string[]) => {
      deadlines.push(deadlineMs);
      return lines;
    };
    const get = (deadlineMs?: number) => answer(deadlineMs, ["old"]);
    const refresh = (deadlineMs?: number) => answer(deadlineMs, [SECRET]);
    const send = async (_: unknown, deadlineMs?: number) => void (await answer(deadlineMs, []));
    expect(
      await setUp({ secret: { name: "/secret", get, refresh }, queue: { send } }).post({ at: NOON - 60_000 }),
    ).toMatchObject({ statusCode: 202 });
    expect(deadlines).toEqual(Array(3).fill(NOON + 6_000));
  });
});

it("the secret is not read again for a signature that matches, or that is missing", async () => {
  const secret = new FakeParameter([SECRET]);
  const { post } = setUp({ secret });
  await post();
  await post({ signature: null });
  expect(secret.refreshes).toBe(0);
});

describe("a webhook that is not queued", () => {
  const UNAUTHORIZED = "the X-Flagsmith-Signature header is missing or wrong";
  const NO_IDENTITY = "identity: expected a non-empty string, got an empty string";
  const otherEvent = fixture("not-identity/env-flag-updated.json");
  const from = { parameter: new FakeParameter([SECRET]).name, sourceIp: "192.0.2.1" };
  const unsigned = { code: "signature-missing", reason: expect.stringMatching(/^no X-/) };
  const wrong = { code: "signature-wrong", reason: expect.stringContaining("does not match") };
  const invalid = { error: { code: "invalid-evaluation", actor: "sender" } };
  const notFlagsmiths = bytesOf({ event_type: "SOME_SECRET_TEXT" });

  it.each<[string, WebhookInput, number, unknown, object]>([
    ["401 without a signature", { signature: null }, 401, UNAUTHORIZED, { ...unsigned, ...from }],
    ["401 with an empty signature", { signature: "" }, 401, UNAUTHORIZED, wrong],
    ["401 with a wrong signature", { secret: "wrong" }, 401, UNAUTHORIZED, { ...wrong, ...from }],
    ["401 before its body is read", { secret: "wrong", body: bytesOf("no JSON") }, 401, UNAUTHORIZED, {}],
    ["400 with the field's path", { body: bytesOf(evaluationPayload({ identity: "" })) }, 400, NO_IDENTITY, invalid],
    [
      "200 if it is another event",
      { body: otherEvent },
      200,
      expect.stringContaining("FLAG_UPDATED: this URL belongs"),
      { code: "other-event" },
    ],
    ["200 without an unknown event's name", { body: notFlagsmiths }, 200, expect.not.stringContaining("SOME_SECRET"), {}],
  ])("is answered with %s", async (_, input, statusCode, reason, entry) => {
    const { post, queue, log } = setUp();
    const status = { 200: "ignored", 400: "invalid", 401: "unauthorized" }[statusCode];
    expect(await post(input)).toEqual({ statusCode, headers: json, body: { status, reason } });
    expect(queue.sent).toEqual([]);
    expect(log.entry).toMatchObject({ event: status, ...entry });
  });

  it.each(["AUDIT_LOG_CREATED", "FLAG_DELETED", "NEW_VERSION_PUBLISHED"])("is named if it is %s", async (type) => {
    const { body } = await setUp().post({ body: bytesOf({ event_type: type }) });
    expect(body.reason).toContain(type);
  });

  it.each([
    ["placeholder-identity", {}, "undefined", "option identities.include"],
    ["unselected-identity", { identities: { exclude: ["guest*"] } }, "guest-1", "option identities excludes"],
    ["nameless-identity", { anonymousIdentities: "drop" }, "5d41402abc4b2a76b9719d911017c592", "anonymousIdentities is drop"],
  ] as const)(
    "is answered with 200 if its identity is skipped as %s, and the entry names it",
    async (code, options, identity, option) => {
      const { post, queue, log } = setUp({ reasonToSkip: compileSkip(resolveOptions(options)) });
      const { statusCode, body } = await post({ body: bytesOf(evaluationPayload({ identity })) });
      expect([statusCode, body, queue.sent]).toEqual([200, { status: "ignored", reason: expect.stringContaining(option) }, []]);
      expect(body.reason).not.toContain(identity);
      expect(log.entry).toMatchObject({ event: "ignored", code, userId: identity, environment: 23, reason: body.reason });
    },
  );

  const missing = new ParameterError("/secret", "parameter-missing", "operator", "aws ssm put-parameter …");
  const unreachable = new AwsCallError("sqs:SendMessageBatch", "timeout", true);
  const defect = new TypeError("a defect");

  it.each<[string, Error, Partial<ReceiveDependencies>]>([
    ["the secret is missing", missing, { secret: new FakeParameter(missing) }],
    ["the queue is unreachable", unreachable, { queue: new FakeQueue(unreachable) }],
    ["something else fails", defect, { queue: new FakeQueue(defect) }],
  ])("is answered with 503 and Retry-After if %s, so that Flagsmith sends it again", async (_, error, overrides) => {
    const { post, log } = setUp(overrides);
    const body = { status: "unavailable", reason: "not queued, send it again" };
    expect(await post()).toEqual({ statusCode: 503, headers: { ...json, "retry-after": "1" }, body });
    // No message id contains API Gateway's request id here.
    expect(log.entry).toMatchObject({ event: "unavailable", error, apiRequestId: "JKJaXmPLvHcESHA=" });
  });
});

describe("an event that is not an HTTP API's", () => {
  const notHttp = [200, "ignored", "unknown-source", "the event is not an HTTP API's: nothing was received"] as const;
  const version1 = "expected the payload of an API Gateway HTTP API, format version 2.0";
  const otherHttp = [400, "invalid", "invalid", version1] as const;
  const requestContext = { requestId: "r", httpMethod: "POST" };

  it.each<[string, unknown, readonly [number, string, string, string]]>([
    ["200 to the console's test event", { key1: "value1" }, notHttp],
    ["200 to the event of a warmer", {}, notHttp],
    ["200 to nothing", undefined, notHttp],
    ["200 to a batch of SQS", { Records: [] }, notHttp],
    ["200 to a request without a body", { headers: {}, requestContext }, notHttp],
    ["400 to a REST API, so that Flagsmith keeps it", { headers: {}, body: "{}", requestContext }, otherHttp],
    ["400 to a REST API whose body is empty", { headers: {}, body: null, requestContext }, otherHttp],
    ["400 to a load balancer", { headers: {}, body: "{}", requestContext: { elb: { targetGroupArn: "arn" } } }, otherHttp],
  ])("logs one warning and answers %s", async (_, event, [expectedStatus, status, logged, reason]) => {
    const { handler, queue, log } = setUp();
    const { statusCode, body } = await handler(event, { awsRequestId: "invocation-1" });
    expect([statusCode, JSON.parse(body ?? ""), queue.sent]).toEqual([expectedStatus, { status, reason }, []]);
    expect(log.entry).toMatchObject({ event: logged, requestId: "invocation-1", reason });
  });
});
