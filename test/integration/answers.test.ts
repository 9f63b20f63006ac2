import { sign } from "../../lambda/receive/signature";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { loadSources } from "../local/local-cloud";
import { fixture, signatures } from "../support/fixtures";
import { type Pipeline, type PipelineOptions, type PostInput, startPipeline } from "../support/pipeline";

/** The table of answers, over HTTP. */
let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline({ webhookSecret: signatures.secret });
});
afterAll(() => pipeline.stop());

const body = bytesOf(evaluationPayload());
const UNAUTHORIZED = { status: "unauthorized", reason: "the X-Flagsmith-Signature header is missing or wrong" };

/** The answer, with the outcome line that belongs to it. */
async function exchange(on: Pipeline, bytes: Buffer, input?: PostInput) {
  const before = outcomes(on).length;
  const { status, headers, text } = await on.post(bytes, input);
  const [line, ...others] = outcomes(on).slice(before);
  expect(others).toEqual([]);
  return { status, headers, answer: JSON.parse(text), line };
}

const outcomes = (on: Pipeline) => on.log.filter(({ service }) => service === "receive");

describe("202 accepted", () => {
  it("gives the id under which the evaluation is found in both functions' logs", async () => {
    const { status, answer, line } = await exchange(pipeline, body);
    expect({ status, answer }).toEqual({
      status: 202,
      answer: { status: "accepted", messageId: expect.stringMatching(/^FlagsmithToSegment-\w+-.+-1$/) },
    });
    expect(line).toMatchObject({ event: "accepted", messageId: answer.messageId, userId: "user-1" });
    await pipeline.until(() =>
      pipeline.log.some(({ event, messageId }) => event === "delivered" && messageId === answer.messageId),
    );
    const delivered = pipeline.log.find(({ event, messageId }) => event === "delivered" && messageId === answer.messageId);
    expect(delivered).toMatchObject({
      service: "deliver",
      userId: "user-1",
      environment: 23,
      traitCount: 1,
      attempt: 1,
      status: 200,
      requestId: expect.any(String),
      bytes: expect.any(Number),
      durationMs: expect.any(Number),
    });
  });

  it.each([
    ["in base64, as API Gateway passes on other types", body, { contentType: "application/octet-stream" }],
    ["behind a byte-order mark", Buffer.concat([Buffer.from("\uFEFF"), body]), {}],
    ["both at once", Buffer.concat([Buffer.from("\uFEFF"), body]), { contentType: "application/x-flags" }],
  ])("takes a body %s", async (_, bytes, input) => {
    const { status, answer } = await exchange(pipeline, bytes, input);
    expect(status).toBe(202);
    const call = await pipeline.identify(answer.messageId);
    expect(call.body.traits).toEqual({ dark_mode: true });
  });

  it("takes the last of duplicate keys", async () => {
    const twice = Buffer.from('{"identity": "first", "flags": [], "identity": "last"}');
    const { answer } = await exchange(pipeline, twice);
    expect((await pipeline.identify(answer.messageId)).body.userId).toBe("last");
  });
});

describe("200 ignored", () => {
  it.each(Object.keys(signatures.files).filter((name) => name.startsWith("not-identity/")))("for %s", async (name) => {
    const signature = signatures.files[name];
    const { status, answer, line } = await exchange(pipeline, fixture(name), { signature });
    expect(status).toBe(200);
    expect(answer).toEqual({ status: "ignored", reason: expect.stringContaining("another Flagsmith event") });
    expect(line).toMatchObject({ event: "ignored", reason: answer.reason });
  });
});

describe("401 unauthorized", () => {
  const right = sign(body, signatures.secret);

  it.each([
    ["no signature", null, "signature-missing"],
    ["an empty signature", "", "signature-wrong"],
    ["the signature of another body", sign(Buffer.from("{}"), signatures.secret), "signature-wrong"],
    ["the signature under another secret", sign(body, "another"), "signature-wrong"],
    ["a signature cut short", right.slice(0, -1), "signature-wrong"],
    ["a prefix, as GitHub writes it", `sha256=${right}`, "signature-wrong"],
  ])("for %s", async (_, signature, code) => {
    const { status, answer, line } = await exchange(pipeline, body, { signature });
    expect({ status, answer }).toEqual({ status: 401, answer: UNAUTHORIZED });
    expect(line).toMatchObject({ event: "unauthorized", code });
  });
});

describe("400 invalid", () => {
  const open = Buffer.from("[".repeat(6_000_000));
  const nested = Buffer.from("[".repeat(3_000_000) + "]".repeat(3_000_000));

  it.each([
    ["an empty body", Buffer.alloc(0), "body: expected JSON"],
    ["text", Buffer.from("flags"), "body: expected JSON"],
    ["6 MB of open brackets", open, "body: expected JSON"],
    ["6 MB of nested arrays", nested, "body: expected an object"],
    ["a list", Buffer.from("[]"), "body: expected an object"],
    ["no identity", bytesOf({ flags: [] }), "identity: expected"],
    ["an empty identity", bytesOf(evaluationPayload({ identity: "" })), "identity: expected"],
    [
      "a flag without a state",
      bytesOf(evaluationPayload({ flags: [{ ...flagPayload({ name: "f" }), enabled: "yes" }] })),
      "flags[0].enabled: expected",
    ],
  ])("for %s", async (_, bytes, reason) => {
    const { status, answer, line } = await exchange(pipeline, bytes);
    expect(answer).toEqual({ status: "invalid", reason: expect.stringContaining(reason) });
    expect(status).toBe(400);
    expect(line).toMatchObject({ event: "invalid", reason: answer.reason });
  });
});

describe("503 unavailable", () => {
  const notTaken = { status: "unavailable", reason: "not queued, send it again" };

  it("while the secret is missing, and no longer than a moment after it is set", async () => {
    const bare = await startPipeline();
    try {
      const { webhookSecret } = bare.cloud.parameterNames;
      bare.cloud.ssm.delete(webhookSecret);
      const { status, headers, answer, line } = await exchange(bare, body);
      expect({ status, answer }).toEqual({ status: 503, answer: notTaken });
      expect(headers.get("retry-after")).toMatch(/^[1-9]$/);
      expect(line).toMatchObject({
        event: "unavailable",
        code: "parameter-missing",
        parameter: webhookSecret,
        remedy: expect.stringContaining(`aws ssm put-parameter --region us-east-1 --name ${webhookSecret}`),
      });
      bare.cloud.ssm.set(webhookSecret, "integration-secret");
      // The failure is remembered for a second.
      await bare.until(async () => (await bare.post(body)).status === 202);
    } finally {
      await bare.stop();
    }
  });

  it("while the queue is unreachable", async () => {
    // Nobody listens on tcpmux.
    const elsewhere = { AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:1" };
    const load: PipelineOptions["load"] = ({ receive, deliver }) =>
      loadSources({ receive: { ...receive, ...elsewhere }, deliver });
    const cut = await startPipeline({ load });
    try {
      const { status, headers, answer, line } = await exchange(cut, body);
      expect({ status, answer }).toEqual({ status: 503, answer: notTaken });
      expect(headers.get("retry-after")).toMatch(/^[1-9]$/);
      expect(line).toMatchObject({
        event: "unavailable",
        code: "ECONNREFUSED",
        reason: expect.stringContaining("sqs:SendMessageBatch"),
      });
    } finally {
      await cut.stop();
    }
  });
});

it("keeps bodies, secrets and signatures out of every line and answer", () => {
  const output = pipeline.output();
  for (const hidden of [signatures.secret, sign(body, signatures.secret), "feature_state_value", "write-key"]) {
    expect(output).not.toContain(hidden);
  }
});
