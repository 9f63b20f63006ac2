import type { Finding } from "../../infra/cli/checks/finding";
import { PLACEHOLDERS } from "../../lambda/names";
import type { Options } from "../../lambda/options";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { type Operator, runLocal, runOnAws, settingsWith } from "./commands";
import { type Pipeline, startPipeline } from "./pipeline";

let pipeline: Pipeline;
const start = async (options: Options = {}) => {
  pipeline = await startPipeline({ options });
  pipeline.cloud.controlPlane.state.apiId = "abc123";
};
afterEach(async () => {
  expect(pipeline.cloud.controlPlane.unexpected).toEqual([]);
  await pipeline.stop();
});

const read = ({ code, out, progress }: Awaited<ReturnType<typeof runLocal>>) => {
  const found: readonly Finding[] = JSON.parse(out);
  const open = found.filter(({ level }) => level !== "ok" && level !== "info");
  return { code, found, open, progress, named: (check: string) => found.filter((one) => one.check === check) };
};
const local = async (...args: readonly string[]) => read(await runLocal(pipeline, ["doctor", "--json", ...args]));
const onAws = async (args: readonly string[] = [], operator: Operator = {}) =>
  read(await runOnAws(pipeline, ["doctor", "--json", ...args], operator));

const SECRET = "/flagsmith-to-segment/production/webhook-secret";
const KEY = "/flagsmith-to-segment/production/segment-write-key";
const US = "https://api.segment.io";
const EU = "https://events.eu1.segmentapis.com";
const KEY_OF_32 = "k".repeat(32);

const sendsTo = (segmentEndpoint: string) => {
  pipeline.cloud.controlPlane.state.functions = { deliver: { config: { segmentEndpoint } } };
  pipeline.cloud.ssm.set(KEY, KEY_OF_32);
};
const deliverOne = async () => {
  await pipeline.post(bytesOf(evaluationPayload({ identity: "ann" })));
  await pipeline.until(() => pipeline.log.some(({ event }) => event === "delivered"));
};

describe("doctor with --local", () => {
  it("looks at what npm start has, sends nothing, and judges nothing that only AWS has", async () => {
    await start();
    await deliverOne();
    const { found, open, code } = await local();
    expect(found.map(({ check, level }) => [check, level])).toEqual([
      ["pipeline", "ok"],
      ["queue URL", "info"],
      ["queue ARN", "info"],
      ["dead-letter queue URL", "info"],
      ["dead-letter queue ARN", "info"],
      ["table", "info"],
      [SECRET, "ok"],
      [KEY, "ok"],
      ["write key at Segment", "skip"],
      ["event source", "ok"],
      ["alarm receivers", "info"],
      ["queue", "ok"],
      ["dead letters", "ok"],
      ["webhook", "info"],
      ["newest accepted", "ok"],
      ["newest delivered", "ok"],
    ]);
    expect(open[0]?.detail).toMatch(/^not looked at: http:\/\/127\.0\.0\.1:\d+ is not Segment's/);
    expect(code).toBe(0);
    expect(pipeline.cloud.segment.calls).toHaveLength(1);
    expect(JSON.stringify(found)).not.toMatch(/integration-secret|"write-key"/);
  });

  it("prints a finding as a line, and its progress elsewhere", async () => {
    await start();
    const { out, progress } = await runLocal(pipeline, ["doctor"]);
    expect(out.split("\n")).toEqual(Array(16).fill(expect.stringMatching(/^(ok {2}|info|skip|warn) {2}\S.+: .+$/)));
    expect(progress).toMatch(/^looking for the pipeline in us-east-1\nsearching the log/);
  });

  it("warns of a log without traffic", async () => {
    await start();
    const { open } = await local();
    expect(open.slice(1)).toMatchObject([
      { check: "newest accepted", level: "warning", detail: "none in 24 hours", fix: "infra/RUNBOOK.md, No traffic" },
      { check: "newest delivered", level: "warning", fix: "infra/RUNBOOK.md, Nothing delivered" },
    ]);
  });

  it("finds a disabled event source, and what enables it", async () => {
    await start({ paused: true });
    const { named, code } = await local();
    expect(named("event source")).toMatchObject([
      { level: "failed", fix: expect.stringMatching(/remove option paused.*--uuid mapping-1 --enabled$/) },
    ]);
    expect(code).toBe(1);
  });
});

describe("doctor --call", () => {
  it("sends a call of user doctor, and follows it to Segment", async () => {
    await start();
    const { found, code } = await local("--call");
    expect(found.slice(-2)).toMatchObject([
      { check: "call", level: "ok", detail: expect.stringContaining("answers 202") },
      { check: expect.stringMatching(/^call FlagsmithToSegment-/), level: "ok", detail: "delivered to Segment" },
    ]);
    expect(code).toBe(0);
    expect(pipeline.cloud.segment.calls.map(({ body }) => body.userId)).toEqual(["doctor"]);
  });

  it("waits for a call that Segment accepts two seconds later", async () => {
    await start();
    pipeline.cloud.segment.refusals.push(503);
    expect((await local("--call")).code).toBe(0);
  });

  it.each<[string, number, string, string]>([
    ["a 404", 404, "retrying: status 404", "infra/RUNBOOK.md, Endpoint refused"],
    ["a 401, without replacing the key", 401, "retrying: status 401", "infra/RUNBOOK.md, Write key refused"],
    ["a 400, without replacing the key", 400, "retrying: status 400", "infra/RUNBOOK.md, Endpoint refused"],
  ])("names the article for %s", async (_, status, detail, fix) => {
    await start();
    pipeline.cloud.segment.refusals.push(...Array(200).fill(status));
    const { found, code } = await local("--call");
    expect(found.at(-1)).toMatchObject({ level: "failed", detail, fix });
    expect(code).toBe(1);
  });

  it("names a write key that is missing, with the command that creates it", async () => {
    await start();
    pipeline.cloud.ssm.delete(KEY);
    const { found } = await local("--call");
    expect(found.at(-1)?.fix).toMatch(/^aws ssm put-parameter .*'<the write key>'; infra\/RUNBOOK/);
    expect(JSON.stringify(found)).not.toContain("--overwrite");
  });

  it("is sent to the URL that is given, and says that nothing answers there", async () => {
    await start();
    const { named, found } = await local("--call", "--url", "http://127.0.0.1:1/webhook");
    expect(named("webhook")).toMatchObject([{ level: "info", detail: "http://127.0.0.1:1/webhook" }]);
    expect(found.at(-1)).toMatchObject({ check: "call", level: "failed", detail: expect.stringMatching(/^no answer from/) });
  });

  it("is not sent without the secret", async () => {
    await start();
    pipeline.cloud.ssm.delete(SECRET);
    expect((await local("--call")).found.at(-1)).toMatchObject({ check: "call", level: "skip" });
  });

  it("is sent on AWS to the URL that receive's alias may be invoked by", async () => {
    await start();
    const { named } = await onAws([]);
    expect(named("webhook")).toMatchObject([{ detail: expect.stringMatching(/^https:\/\/abc123\.execute-api\.us-east-1\./) }]);
    pipeline.cloud.controlPlane.state.alias = false;
    expect((await onAws([])).named("webhook")).toEqual(named("webhook"));
    pipeline.cloud.controlPlane.state.apiId = undefined;
    expect((await onAws([])).named("webhook")).toMatchObject([{ level: "skip" }]);
  });
});

describe("a parameter", () => {
  it.each<[string, string, string, string, 0 | 1]>([
    ["blanks around it", " integration-secret", "SecureString", "has blanks", 0],
    ["quotes around it", '"integration-secret"', "SecureString", "has quotes", 1],
    ["the placeholder in it", PLACEHOLDERS.webhookSecret, "SecureString", "holds the placeholder", 1],
    ["a line with a placeholder", `integration-secret\n${PLACEHOLDERS.webhookSecret}`, "SecureString", "has a line with", 0],
    ["nothing in it", " ", "SecureString", "is empty", 1],
    ["the wrong type", "integration-secret", "String", "is a String", 0],
  ])("with %s is found, not shown, and replaced by the command", async (_, value, type, detail, exit) => {
    await start();
    pipeline.cloud.ssm.set(SECRET, value, type);
    const { code, named } = await local();
    expect(named(SECRET)).toMatchObject([
      {
        level: exit === 1 ? "failed" : "warning",
        detail: expect.stringContaining(detail),
        fix: expect.stringMatching(/put-parameter --region us-east-1 .* --overwrite$/),
      },
    ]);
    expect(JSON.stringify(named(SECRET))).not.toContain("integration-secret");
    expect(code).toBe(exit);
  });

  it("is accepted with two secrets, one per line, and with one that begins like markup", async () => {
    await start();
    for (const value of ["integration-secret\nold\n", "<integration"]) {
      pipeline.cloud.ssm.set(SECRET, value);
      expect((await local()).named(SECRET)).toMatchObject([{ level: "ok" }]);
    }
  });

  it("that is missing gets the command that creates it, without --overwrite", async () => {
    await start();
    pipeline.cloud.ssm.delete(KEY);
    const { named, code } = await local();
    expect(named(KEY)).toMatchObject([
      { level: "failed", detail: "does not exist", fix: expect.stringMatching(/'<the write key>'$/) },
    ]);
    expect(code).toBe(1);
  });

  it("that may not be read gets the right that is missing, and nothing that would replace it", async () => {
    await start();
    pipeline.cloud.controlPlane.state.refused = { GetParameter: "AccessDeniedException" };
    const { found, named, code } = await local("--call");
    for (const name of [SECRET, KEY]) {
      expect(named(name)).toMatchObject([{ level: "skip", fix: "your credentials need ssm:GetParameter" }]);
    }
    expect(JSON.stringify(found)).not.toMatch(/overwrite|put-parameter|does not exist/);
    expect(code).toBe(0);
  });

  it("that SSM is too busy to read names no right", async () => {
    await start();
    pipeline.cloud.controlPlane.state.refused = { GetParameter: "ThrottlingException" };
    const [finding] = (await onAws()).named(SECRET);
    expect(finding).toMatchObject({ level: "skip", detail: expect.stringContaining("ThrottlingException") });
    expect(finding).not.toHaveProperty("fix");
  });
});

describe("the write key at Segment", () => {
  it("is known, and of the pipeline's region", async () => {
    await start();
    sendsTo(US);
    const { named, open } = await onAws();
    expect(open.map(({ check }) => check)).not.toContain("write key");
    expect(named("write key at Segment")).toMatchObject([{ level: "ok" }]);
    expect(named("the source's region")).toMatchObject([{ level: "ok", detail: "us, as the pipeline's" }]);
  });

  it("is a warning with another length than 32 characters", async () => {
    await start();
    sendsTo(US);
    pipeline.cloud.ssm.set(KEY, "short");
    const { named } = await onAws();
    expect(named("write key")).toMatchObject([{ level: "warning", detail: expect.stringMatching(/^has 5 characters/) }]);
  });

  it("is a failure if no source has it, whatever Segment answers to calls", async () => {
    await start();
    sendsTo(US);
    const { named, code } = await onAws([], { settings: { status: 404 } });
    expect(named("write key at Segment")).toMatchObject([{ level: "failed", fix: expect.stringContaining("--overwrite") }]);
    expect(named("the source's region")).toEqual([]);
    expect(code).toBe(1);
  });

  it("is a warning if no source has it and the parameter is younger than a day", async () => {
    await start();
    sendsTo(US);
    pipeline.cloud.ssm.set(KEY, KEY_OF_32, "SecureString", Date.now() / 1_000 - 23 * 3_600);
    const { named, code } = await onAws([], { settings: { status: 404 } });
    const [finding] = named("write key at Segment");
    expect(finding).toMatchObject({ level: "warning", fix: expect.stringContaining("Debugger") });
    expect(finding?.fix).not.toContain("--overwrite");
    expect(code).toBe(0);
    pipeline.cloud.ssm.set(KEY, KEY_OF_32, "SecureString", Date.now() / 1_000 - 25 * 3_600);
    expect((await onAws([], { settings: { status: 404 } })).code).toBe(1);
  });

  it.each<[string, Operator["settings"] & object, RegExp]>([
    [
      "can't be reached",
      Object.assign(new Error("fetch failed"), { cause: new Error("ENOTFOUND") }),
      /can't be reached from here: ENOTFOUND$/,
    ],
    ["fail", { status: 503 }, /cdn\.segment\.com answers 503$/],
    ["are a proxy's page", { status: 404, body: "<html>", contentType: "text/html" }, /404 with HTML, .*a proxy in between\?$/],
    ["are no JSON", { status: 200, body: "welcome", contentType: "text/plain" }, /a proxy in between\?$/],
  ])("is not judged if the settings %s", async (_, settings, detail) => {
    await start();
    sendsTo(US);
    const { named, code } = await onAws([], { settings });
    const [finding] = named("write key at Segment");
    expect(finding).toMatchObject({ level: "skip", detail: expect.stringMatching(detail) });
    expect(finding).not.toHaveProperty("fix");
    expect(code).toBe(0);
  });

  it.each<[string, unknown, string, string]>([
    ["us", "api.segment.io/v1", "eu", EU],
    ["eu", "events.eu1.segmentapis.com/v1", "us", US],
    ["eu", "https://Events.EU1.segmentapis.com", "us", US],
  ])("is a failure if the source is in %s (%s) and the pipeline sends to %s", async (source, apiHost, _, endpoint) => {
    await start();
    sendsTo(endpoint);
    const { named, code } = await onAws([], { settings: settingsWith(apiHost) });
    expect(named("the source's region")).toMatchObject([
      { level: "failed", fix: expect.stringContaining(`"segmentRegion": "${source}"`) },
    ]);
    expect(code).toBe(1);
  });

  it.each<[string, string]>([
    ["no host", JSON.stringify({ integrations: { "Segment.io": {} } })],
    ["no integration of Segment", JSON.stringify({ integrations: {} })],
    ["no integrations", "{}"],
    ["a host that is another", JSON.stringify({ integrations: { "Segment.io": { apiHost: "proxy.example.com/v1" } } })],
    [
      "a host that only begins alike",
      JSON.stringify({ integrations: { "Segment.io": { apiHost: "api.segment.io.example.com" } } }),
    ],
    ["a host that is no text", JSON.stringify({ integrations: { "Segment.io": { apiHost: 7 } } })],
    ["integrations that are a list", JSON.stringify({ integrations: [] })],
  ])("has a region that is not judged with %s", async (_, body) => {
    await start();
    sendsTo(EU);
    const { named } = await onAws([], { settings: { status: 200, body } });
    expect(named("the source's region")).toMatchObject([
      { level: "skip", detail: "Segment does not say; eu1.app.segment.com in the browser means EU" },
    ]);
  });

  it("is not looked up for an endpoint that is not Segment's", async () => {
    await start();
    sendsTo("https://proxy.example.com/segment");
    const settings = new Error("must not be asked");
    expect((await onAws([], { settings })).named("write key at Segment")).toMatchObject([
      {
        level: "skip",
        detail: expect.stringMatching(/^not looked at: https:\/\/proxy\.example\.com\/segment is not Segment's/),
      },
    ]);
  });
});
