import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { diagnose } from "../doctor/checks";
import { localPatient } from "../doctor/local";
import type { Finding, Patient } from "../doctor/patient";
import { Loopback } from "../support/loopback";
import { type Pipeline, startPipeline } from "../support/pipeline";

let pipeline: Pipeline;
let own: Patient;
let elsewhere: Loopback | undefined;

async function denied(): Promise<never> {
  throw Object.assign(new Error("not you"), { name: "AccessDeniedException" });
}

beforeEach(async () => {
  pipeline = await startPipeline();
  own = localPatient(pipeline.cloud, () => pipeline.log);
});
afterEach(async () => {
  await elsewhere?.stop();
  elsewhere = undefined;
  await pipeline.stop();
});

async function examine(overrides: Partial<Patient> = {}): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of diagnose({ ...own, ...overrides })) {
    findings.push(finding);
  }
  return findings;
}

const failures = (findings: readonly Finding[]) => findings.filter(({ ok }) => !ok);

describe("the doctor", () => {
  it("finds a pipeline in good health, up to the call at Segment", async () => {
    const findings = await examine();
    expect(failures(findings)).toEqual([]);
    expect(findings).toHaveLength(6);
    expect(findings.at(-1)).toMatchObject({ detail: "delivered to Segment" });
    expect(pipeline.cloud.segment.calls.map(({ body }) => body.userId)).toEqual(["doctor"]);
  });

  it("finds a stack that is not there", async () => {
    const findings = await examine({ outputs: async () => undefined });
    expect(findings).toMatchObject([{ ok: false, check: "stack", fix: expect.stringContaining("npx cdk deploy") }]);
  });

  it.each<[string, string, string, string]>([
    ["blanks around it", " integration-secret", "SecureString", "has blanks"],
    ["quotes around it", '"integration-secret"', "SecureString", "has quotes"],
    ["the placeholder in it", "<the secret set in Flagsmith>", "SecureString", "holds the placeholder"],
    ["nothing in it", " ", "SecureString", "is empty"],
    ["the wrong type", "integration-secret", "String", "is a String"],
  ])("finds a secret with %s, and does not show it", async (_, value, type, detail) => {
    const { webhookSecret } = pipeline.cloud.parameterNames;
    pipeline.cloud.ssm.set(webhookSecret, value, type);
    const found = failures(await examine()).find(({ check }) => check === webhookSecret);
    expect(found).toMatchObject({ detail: expect.stringContaining(detail), fix: expect.stringContaining("put-parameter") });
    expect(found?.detail).not.toContain("integration-secret");
  });

  it("takes two secrets, one a line, for what they are", async () => {
    pipeline.cloud.ssm.set(pipeline.cloud.parameterNames.webhookSecret, "integration-secret\nold\n");
    expect(failures(await examine())).toEqual([]);
  });

  it("finds a parameter that is missing", async () => {
    const { writeKey } = pipeline.cloud.parameterNames;
    pipeline.cloud.ssm.delete(writeKey);
    const [missing, call] = failures(await examine());
    expect(missing).toMatchObject({ check: writeKey, detail: "does not exist" });
    expect(call).toMatchObject({ detail: expect.stringContaining("retrying"), fix: expect.stringContaining("put-parameter") });
  });

  it("finds a write key that no source has, though Segment answers 200 to it", async () => {
    pipeline.cloud.ssm.set(pipeline.cloud.parameterNames.writeKey, "unknown-key");
    const findings = failures(await examine());
    expect(findings).toMatchObject([{ check: "write key at Segment", detail: "no source has it" }]);
    expect(JSON.stringify(findings)).not.toContain("unknown-key");
  });

  it("finds what Segment rejects", async () => {
    pipeline.cloud.segment.refusals.push(404, 404);
    expect(failures(await examine())).toMatchObject([{ detail: "retrying: status 404" }]);
  });

  it("finds a webhook that is out of reach, and Segment's settings too", async () => {
    const outputs = async () => ({ ...(await own.outputs()), WebhookUrl: "http://127.0.0.1:1/webhook" });
    const findings = failures(await examine({ outputs, settingsUrl: "http://127.0.0.1:1" }));
    expect(findings.map(({ check }) => check)).toEqual(["write key at Segment", "webhook"]);
  });

  it("finds a URL at which something else answers", async () => {
    elsewhere = await Loopback.start((_, index) => (index === 0 ? { body: "<html>" } : "hang"));
    const { url } = elsewhere;
    const visit = () => examine({ outputs: async () => ({ ...(await own.outputs()), WebhookUrl: url }), patience: 50 });
    expect(failures(await visit())).toMatchObject([{ check: "webhook", detail: "answers 200" }]);
    expect(failures(await visit())).toMatchObject([
      { check: "webhook", detail: expect.stringMatching(/^can't be looked at: TimeoutError/) },
    ]);
  });

  it.each<[string, Partial<Patient>, string, string]>([
    ["the stack", { outputs: denied }, "stack", "cloudformation:DescribeStacks"],
    ["a parameter", { parameter: denied }, "/flagsmith-to-segment/production/webhook-secret", "ssm:GetParameter"],
    ["the log", { lines: denied }, "call ", "logs:FilterLogEvents"],
  ])("says what is needed to look at %s", async (_, overrides, check, fix) => {
    const [found] = failures(await examine(overrides));
    expect(found).toMatchObject({
      check: expect.stringContaining(check),
      detail: "can't be looked at: AccessDeniedException: not you",
      fix: expect.stringContaining(fix),
    });
  });
});

describe("npm run doctor", () => {
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", "test/doctor/main.ts", ...args], {
      cwd: join(__dirname, "../.."),
      encoding: "utf8",
    });

  it("prints a line a check for a local cloud, and nothing secret", () => {
    const { status, stdout } = run("--local");
    expect(stdout.trim().split("\n")).toEqual(Array(6).fill(expect.stringMatching(/^ok {4}\S.+: .+$/)));
    expect(stdout).not.toMatch(/local-secret|local-write-key/);
    expect(status).toBe(0);
  });

  it("says how it is used", () => {
    const { status, stderr } = run();
    expect(stderr).toMatch(/^usage: npm run doctor -- --stack/);
    expect(status).toBe(1);
  });
});
