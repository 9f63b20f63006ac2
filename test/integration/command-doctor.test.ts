import { examine, type Finding, type Level } from "../../infra/cli/checks/finding";
import { judgeParameter } from "../../infra/cli/checks/parameters";
import { writeKeyChecks } from "../../infra/cli/checks/write-key";
import { SETTINGS_URL } from "../../infra/cli/command";
import { hashIdentity } from "../../lambda/identify-call";
import { PLACEHOLDERS } from "../../lambda/names";
import { sign } from "../../lambda/receive/signature";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { Loopback } from "../support/loopback";
import { findingsOf, logEntry, type Settings, settingsWith, US_SOURCE, usePipeline, withSettings } from "./commands";

const { pipeline, cloud, state, restartWith, post, saw, local, onAws } = usePipeline("doctor");

const SECRET = "/flagsmith-to-segment/production/webhook-secret";
const KEY = "/flagsmith-to-segment/production/segment-write-key";
const US = "https://api.segment.io";
const EU = "https://events.eu1.segmentapis.com";

const doctor = async (...args: readonly string[]) => findingsOf(await local(["--json", ...args]));
const checksOf = (found: readonly Finding[]) => found.map(({ check }) => check);

describe("doctor with --local", () => {
  it("looks at what npm start has, sends nothing, and judges nothing that only AWS has", async () => {
    cloud().ssm.set(SECRET, "integration-secret\nan older secret");
    await post("ann");
    await saw("delivered");
    const { found, at, code } = await doctor();
    const judged = ["pipeline", SECRET, KEY, "event source", "queue", "dead letters", "newest accepted", "newest delivered"];
    expect(checksOf(at("ok"))).toEqual(judged);
    const queues = ["queue URL", "queue ARN", "dead-letter queue URL", "dead-letter queue ARN"];
    expect(checksOf(at("info"))).toEqual([...queues, "table", "alarm receivers", "webhook"]);
    expect(at("skip", "warning", "failed")).toMatchObject([
      { check: "write key at Segment", level: "skip", detail: expect.stringMatching(/^not looked at: \S+ is not Segment's/) },
    ]);
    expect(code).toBe(0);
    expect(cloud().segment.calls).toHaveLength(1);
    expect(JSON.stringify(found)).not.toMatch(/integration-secret|"write-key"/);
  });

  it("prints a finding as a line, and its progress elsewhere", async () => {
    const { out, progress } = await local();
    expect(out.split("\n")).toEqual(Array(16).fill(expect.stringMatching(/^(ok {2}|info|skip|warn) {2}\S.+: .+$/)));
    expect(progress).toMatch(/^looking for the pipeline in us-east-1\nsearching the log/);
  });

  it("warns of a log without traffic", async () => {
    state().entries = [];
    const { at, code } = await doctor();
    expect(at("warning")).toMatchObject([
      { check: "newest accepted", detail: "none in 24 hours", fix: "infra/RUNBOOK.md, No traffic" },
      { check: "newest delivered", fix: "infra/RUNBOOK.md, Nothing delivered" },
    ]);
    expect(code).toBe(0);
  });

  it("finds a disabled event source, and what enables it", async () => {
    await restartWith({ paused: true });
    const { named, code } = await doctor();
    expect(named("event source")).toMatchObject([
      { level: "failed", fix: expect.stringMatching(/remove option paused.*--uuid mapping-1 --enabled$/) },
    ]);
    expect(code).toBe(1);
  });
});

describe("doctor --call", () => {
  it("sends a call of user doctor, signed with the first secret, and follows it to Segment", async () => {
    cloud().ssm.set(SECRET, "integration-secret\nan older secret");
    const { found, code } = await doctor("--call");
    expect(found.slice(-2)).toMatchObject([
      { check: "call", level: "ok", detail: expect.stringContaining("answers 202") },
      { check: expect.stringMatching(/^call FlagsmithToSegment-/), level: "ok", detail: "delivered to Segment" },
    ]);
    expect(code).toBe(0);
    expect(cloud().segment.calls).toMatchObject([{ userId: "doctor" }]);
  });

  it.each<[number, object, RegExp]>([
    [200, { reason: "skipped" }, /^warn {2}call: answers 200: skipped -> an option skips the identity doctor/],
    [202, {}, /^FAIL .* answers 202, but not as receive does -> is a proxy or a firewall in between/],
    [302, {}, /^FAIL .* answers 302, but not as receive does -> is a proxy or a firewall in between/],
    [400, { reason: "no" }, /^FAIL {2}call: answers 400: no -> infra\/RUNBOOK\.md, Invalid webhooks$/],
    [401, { reason: "no" }, /^FAIL {2}call: answers 401: no -> infra\/RUNBOOK\.md, Wrong secret$/],
    [404, {}, /^FAIL .* answers 404, .* -> is it this pipeline's URL\?/],
    [429, {}, /^FAIL .* answers 429, .* -> infra\/RUNBOOK\.md, Refused by API Gateway$/],
    [503, { reason: "no" }, /^FAIL {2}call: answers 503: no -> infra\/RUNBOOK\.md, Unavailable$/],
  ])("explains status %i with %j", async (status, body, line) => {
    const headers = { location: cloud().webhookUrl };
    const other = await Loopback.start(() => ({ status, headers, body: JSON.stringify(body) }));
    const { lines } = await doctor("--call", "--url", `${other.url}/webhook`);
    await other.stop();
    expect(lines("call")).toEqual([expect.stringMatching(line)]);
  });

  it("waits for a call that Segment accepts two seconds later", async () => {
    cloud().segment.refusals.push(503);
    expect((await doctor("--call")).code).toBe(0);
  });

  it("names the article for a key that Segment refuses, without replacing the key", async () => {
    cloud().segment.refusals.push(...Array(200).fill(401));
    const { found, code } = await doctor("--call");
    const fix = "infra/RUNBOOK.md, Write key refused";
    expect(found.at(-1)).toMatchObject({ level: "failed", detail: "retrying: status 401", fix });
    expect(code).toBe(1);
  });

  it("names a write key that is missing, with the command that creates it", async () => {
    cloud().ssm.delete(KEY);
    const { found } = await doctor("--call");
    expect(found.at(-1)?.fix).toMatch(/^aws ssm put-parameter .*'<the write key>'; infra\/RUNBOOK/);
    expect(JSON.stringify(found)).not.toContain("--overwrite");
  });

  it("is sent to the URL that is given, and says that nothing answers there", async () => {
    const { named, found } = await doctor("--call", "--url", "http://127.0.0.1:1/webhook");
    expect(named("webhook")).toMatchObject([{ level: "info", detail: "http://127.0.0.1:1/webhook" }]);
    expect(found.at(-1)).toMatchObject({ check: "call", level: "failed", detail: expect.stringMatching(/^no answer from/) });
  });

  it("is not sent without the secret", async () => {
    cloud().ssm.delete(SECRET);
    expect((await doctor("--call")).found.at(-1)).toMatchObject({ check: "call", level: "skip" });
  });
});

describe("doctor --wait", () => {
  const wait = (minutes = "0.01") => doctor("--wait", "--minutes", minutes);

  it("follows the first webhook to Segment, and says whose it is, with how many traits", async () => {
    const waiting = wait("10");
    await post("ann");
    const { found, code } = await waiting;
    expect(found.slice(-3)).toMatchObject([
      { check: "first webhook", level: "info", detail: expect.stringMatching(/^accepted at \S+: user ann, \d+ traits?$/) },
      { level: "ok", detail: expect.stringMatching(/^user ann, \d+ traits?: delivered \d+ ms after reception$/) },
      { check: "look in Segment", level: "info", detail: expect.stringMatching(/^Sources, the source, Debugger/) },
    ]);
    expect(code).toBe(0);
    expect(cloud().segment.calls).toMatchObject([{ userId: "ann" }]);
  });

  it("does not count the call of doctor, and sends none", async () => {
    await post("doctor");
    await saw("delivered");
    const { found, code } = await wait();
    expect(found.at(-1)).toMatchObject({ check: "first webhook", level: "failed", detail: "nothing arrived in 0.01 min" });
    expect(code).toBe(1);
    expect(cloud().segment.calls).toHaveLength(1);
  });

  const another = sign(bytesOf(evaluationPayload({ identity: "ann" })), "another");
  it.each<[string, () => Promise<unknown>, RegExp, RegExp]>([
    [
      "another secret",
      () => post("ann", { signature: another }),
      /^signed with another secret: .*\/flagsmith-to-segment\/production\/webhook-secret$/,
      /^paste the secret again/,
    ],
    ["no secret", () => post("ann", { signature: null }), /^not signed/, /Your Webhook Secret/],
    [
      "another kind of webhook",
      () => pipeline().post(bytesOf({ event_type: "FLAG_UPDATED", data: {} })),
      /^another kind of webhook: it was added on the environment's/,
      /project's Integrations page, Webhook$/,
    ],
    ["a user who is skipped", () => post("undefined"), /^user undefined is skipped/, /another user/],
    ["a body that is none", () => pipeline().post(bytesOf("{}")), /^refused: /, /RUNBOOK.md, Invalid webhooks/],
  ])("explains a webhook with %s once, and fails", async (_, send, detail, fix) => {
    await send();
    await send();
    const { found, code } = await wait();
    expect(found.filter(({ check }) => check.startsWith("webhook of "))).toMatchObject([
      { level: "warning", detail: expect.stringMatching(detail), fix: expect.stringMatching(fix) },
    ]);
    expect(found.at(-1)).toMatchObject({ level: "failed", detail: "none of 2 webhooks was accepted in 0.01 min" });
    expect(code).toBe(1);
  });

  it("explains a kind of webhook again after half a minute, but not Flagsmith's next attempt", async () => {
    const refused = (secondsAgo: number) =>
      logEntry("receive", "unauthorized", secondsAgo / 3_600, { code: "signature-wrong", requestId: `${secondsAgo}` });
    state().entries = [refused(60), refused(20), refused(5)];
    const { found } = await wait();
    expect(found.filter(({ check }) => check.startsWith("webhook of "))).toHaveLength(2);
    expect(found.at(-1)?.detail).toMatch(/^none of 3 webhooks/);
  });

  it("names the user as the log does", async () => {
    await restartWith({ logUserId: "hashed" });
    await post("doctor");
    const waiting = wait("10");
    await post("ann");
    const detail = expect.stringContaining(`the user whose SHA-256 is ${hashIdentity("ann")}, `);
    expect((await waiting).named("first webhook")).toMatchObject([{ detail }, { detail, level: "ok" }]);
  });

  it("explains why Segment does not get it", async () => {
    cloud().segment.refusals.push(...Array(200).fill(401));
    await post("ann");
    const { found, code } = await wait("10");
    expect(found.at(-1)).toMatchObject({ check: "first webhook", level: "failed", detail: "retrying: status 401" });
    expect(code).toBe(1);
  });

  it("fails where it may not read the log", async () => {
    state().refused = { FilterLogEvents: "AccessDeniedException" };
    const { found, code } = await wait();
    const fix = "your credentials need logs:FilterLogEvents";
    expect(found.at(-1)).toMatchObject({ check: "first webhook", level: "failed", fix });
    expect(code).toBe(1);
  });
});

describe("a parameter", () => {
  const commands = { create: "create", overwrite: "overwrite" };
  const judge = (value: string, type: string, severalLines: boolean) =>
    judgeParameter({ type, value, changedAt: undefined }, commands, severalLines);

  it.each<[string, string, string, boolean, Level, RegExp]>([
    ["blanks around it", " secret", "SecureString", true, "warning", /^has blanks/],
    ["quotes around it", '"secret"', "SecureString", true, "failed", /^has quotes/],
    ["backticks around it", "`secret`", "SecureString", true, "failed", /^has quotes/],
    ["the placeholder in it", PLACEHOLDERS.webhookSecret, "SecureString", true, "failed", /^holds the placeholder/],
    ["a line with a placeholder", `s\n${PLACEHOLDERS.webhookSecret}`, "SecureString", true, "warning", /^has a line with the/],
    ["nothing in it", " ", "SecureString", true, "failed", /^is empty/],
    ["a blank line in it", "secret\n\nold", "SecureString", true, "warning", /^has blanks or blank lines/],
    ["the wrong type", "secret", "String", true, "warning", /^is a String/],
    ["two write keys", "one\ntwo", "SecureString", false, "warning", /^has more than one line/],
    ["two secrets, one per line", "secret\nold\n", "SecureString", true, "ok", /^is there/],
    ["a secret that begins like markup", "<secret", "SecureString", true, "ok", /^is there/],
  ])("with %s is judged", (_, value, type, severalLines, level, detail) => {
    expect(judge(value, type, severalLines)).toMatchObject({ level, detail: expect.stringMatching(detail) });
  });

  it("that is wrong is not shown, and gets the command that replaces it", async () => {
    cloud().ssm.set(SECRET, "integration-secret", "String");
    const [line = "", ...others] = (await doctor()).lines(SECRET);
    expect(line).toMatch(/ is a String: .* put-parameter --region us-east-1 .* --overwrite$/);
    expect(line).not.toContain("integration-secret");
    expect(others).toEqual([]);
  });

  it("that is missing gets the command that creates it, without --overwrite", async () => {
    cloud().ssm.delete(KEY);
    const { named, code } = await doctor();
    const fix = expect.stringMatching(/'<the write key>'$/);
    expect(named(KEY)).toMatchObject([{ level: "failed", detail: "does not exist", fix }]);
    expect(code).toBe(1);
  });

  it("that may not be read gets the right that is missing, and nothing that would replace it", async () => {
    state().refused = { GetParameter: "AccessDeniedException" };
    const { found, named, code } = await doctor("--call");
    for (const name of [SECRET, KEY]) {
      expect(named(name)).toMatchObject([{ level: "skip", fix: "your credentials need ssm:GetParameter" }]);
    }
    expect(JSON.stringify(found)).not.toMatch(/overwrite|put-parameter|does not exist/);
    expect(code).toBe(0);
  });
});

describe("the write key at Segment", () => {
  const HOUR = 3_600_000;
  const look = (settings: Settings, endpoint = US, writeKey = "k".repeat(32)) => {
    const parameter = { type: "SecureString", value: writeKey, changedAt: new Date(Date.now() - 25 * HOUR) };
    const commands = { create: "create", overwrite: "overwrite" };
    const checks = writeKeyChecks({ aws: { settingsUrl: SETTINGS_URL }, endpoint, parameter, writeKey, commands });
    return withSettings(settings, async () => (await Promise.all(checks.map((check) => examine(check, {})))).flat());
  };
  const settingsOf = (integrations: unknown) => ({ status: 200, body: JSON.stringify({ integrations }) });
  const known = { check: "write key at Segment", level: "ok", detail: "belongs to a source" };

  it("is known, and of the pipeline's region", async () => {
    const region = { check: "the source's region", level: "ok", detail: "us, as the pipeline's" };
    expect(await look(US_SOURCE)).toEqual([known, region]);
  });

  it("is a warning with another length than 32 characters", async () => {
    const [length, ...others] = await look(US_SOURCE, US, "s/ort");
    expect(length).toMatchObject({ check: "write key", level: "warning", detail: expect.stringMatching(/^has 5 characters/) });
    expect(others).toContainEqual(known);
  });

  it("is a failure if no source has it, and a warning while the parameter is younger than a day", async () => {
    const [old] = await look({ status: 404 });
    expect(old).toMatchObject({ level: "failed", fix: expect.stringMatching(/: overwrite$/) });
    state().functions = { deliver: { config: { segmentEndpoint: US } } };
    cloud().ssm.set(KEY, "k".repeat(32), "SecureString", (Date.now() - 23 * HOUR) / 1_000);
    const { lines } = findingsOf(await onAws(["--json"], { settings: { status: 404 } }));
    expect(lines(known.check)).toEqual([
      expect.stringMatching(/^warn .* look for the call in the source's Debugger at Segment$/),
    ]);
    expect(lines("the source's region")).toEqual([]);
  });

  it.each<[string, Settings, RegExp]>([
    [
      "can't be reached",
      new Error("fetch failed", { cause: new Error("ENOTFOUND") }),
      /can't be reached from here: ENOTFOUND$/,
    ],
    ["fail", { status: 503 }, /cdn\.segment\.com answers 503$/],
    ["are a proxy's page", { status: 404, body: "<html>", contentType: "text/html" }, /404 with HTML, .*a proxy in between\?$/],
    ["are no JSON", { status: 200, body: "welcome", contentType: "text/plain" }, /a proxy in between\?$/],
  ])("is not judged if the settings %s", async (_, settings, detail) => {
    const findings = await look(settings);
    expect(findings).toEqual([{ check: known.check, level: "skip", detail: expect.stringMatching(detail) }]);
  });

  it.each<[string, string, string, string]>([
    ["us", "api.segment.io/v1", "eu", EU],
    ["eu", "events.eu1.segmentapis.com/v1", "us", US],
    ["eu", "https://Events.EU1.segmentapis.com", "us", US],
  ])("is a failure if the source is in %s (%s) and the pipeline sends to %s", async (source, apiHost, _, endpoint) => {
    const fix = expect.stringContaining(`"segmentRegion": "${source}"`);
    expect(await look(settingsWith(apiHost), endpoint)).toMatchObject([
      known,
      { check: "the source's region", level: "failed", fix },
    ]);
  });

  it.each<[string, Settings]>([
    ["no host", settingsOf({ "Segment.io": {} })],
    ["no integration of Segment", settingsOf({})],
    ["no integrations", { status: 200 }],
    ["a host that is another", settingsWith("proxy.example.com/v1")],
    ["a host that only begins alike", settingsWith("api.segment.io.example.com")],
    ["a host that is no text", settingsWith(7)],
    ["integrations that are a list", settingsOf([])],
  ])("has a region that is not judged with %s", async (_, settings) => {
    const detail = "Segment does not say; eu1.app.segment.com in the browser means EU";
    expect(await look(settings, EU)).toEqual([known, { check: "the source's region", level: "skip", detail }]);
  });

  it("is not looked up for an endpoint that is not Segment's", async () => {
    const detail = expect.stringMatching(/^not looked at: https:\/\/proxy\.example\.com\/segment is not Segment's/);
    const findings = await look(new Error("must not be asked"), "https://proxy.example.com/segment");
    expect(findings).toEqual([{ check: known.check, level: "skip", detail }]);
  });
});
