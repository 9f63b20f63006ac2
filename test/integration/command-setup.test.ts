import { PassThrough } from "node:stream";
import { InterruptedError } from "../../infra/cli/command";
import { askHidden } from "../../infra/cli/setup/input";
import { parameterNames } from "../../infra/environment-name";
import { PLACEHOLDERS } from "../../lambda/names";
import type { ControlPlaneState } from "../cloud/control-plane";
import { type Operator, type Settings, settingsWith, usePipeline } from "./commands";

const { cloud, state, onAws } = usePipeline("setup");
const ssm = () => cloud().ssm;

const BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version";
/** An environment that is not deployed. */
const NAMES = parameterNames("staging");
const DEPLOYED = parameterNames("production");
const WRITE_KEY = "k".repeat(32);
const EU_SOURCE = settingsWith("events.eu1.segmentapis.com/v1");
const UNKNOWN: Settings = { status: 404 };
const KMS = "arn:aws:kms:us-east-1:000000000000:key/one";
const UNTOUCHED = [undefined, undefined];

const cdkJsonWith = (staging?: object) => {
  return { app: "node infra/app.ts", context: { environments: { production: {}, ...(staging && { staging }) } } };
};
const ofEu = { cdkJson: cdkJsonWith({ segmentRegion: "eu" }) };
const withEndpoint = { cdkJson: cdkJsonWith({ segmentEndpoint: "https://events.eu1.segmentapis.com" }) };
const stored = (names = NAMES) => [ssm().get(names.webhookSecret)?.value, ssm().get(names.writeKey)?.value];

beforeEach(() => ssm().set(BOOTSTRAP, "6", "String"));

/** With an operator who says yes, and types the keys one after the other. */
const attended = (operator: Operator = {}, keys: readonly string[] = [WRITE_KEY], ...args: readonly string[]) => {
  const left = [...keys];
  const types: Operator["types"] = (_, kind) => (kind === "hidden" ? (left.shift() ?? "") : "");
  return onAws(["--environment", "staging", ...args], { cdkJson: cdkJsonWith({}), answer: true, types, ...operator });
};
/** By a script, with the key on standard input. */
const unattended = (operator: Operator = {}, ...args: readonly string[]) => {
  const script = { cdkJson: cdkJsonWith({}), piped: `${WRITE_KEY}\n`, ...operator };
  return onAws(["--environment", "staging", "--yes", ...args], script);
};

describe("setup before the deploy", () => {
  it("creates both parameters after the last question, and prints the complete deploy command", async () => {
    const { out, code, questions } = await attended();
    expect(questions).toEqual([
      expect.stringMatching(/^Segment's write key .*\(hidden\)$/),
      expect.stringMatching(/^Write \/flagsmith.*webhook-secret and .*write-key in us-east-1, account 000000000000\?$/),
    ]);
    expect(stored()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), WRITE_KEY]);
    expect(ssm().get(NAMES.writeKey)?.type).toBe("SecureString");
    expect(out).toContain("ok    credentials: account 000000000000, role Deployer, session ann, region us-east-1");
    expect(out).toContain("ok    bootstrap: version 6");
    expect(out).toContain("1. AWS_REGION=us-east-1 npx cdk deploy FlagsmithToSegment-staging\n");
    expect(out).toContain("2. npx --no flagsmith-to-segment setup --region us-east-1 --environment staging");
    expect(code).toBe(0);
  });

  it("takes the key from standard input with --yes, asks nothing, and shows neither value", async () => {
    const { code, out, progress, questions } = await unattended();
    expect([code, questions]).toEqual([0, []]);
    expect(stored()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), WRITE_KEY]);
    for (const value of stored()) expect(out + progress).not.toContain(value);
  });

  it("leaves everything as it was if it is interrupted, whatever the question", async () => {
    const begin = ["ARN of", "Segment's write key", "no source", "Segment's region", "Write "];
    const operator = { settings: UNKNOWN, cdkJson: cdkJsonWith() };
    for (const interruptsAt of begin) {
      const { code, progress } = await attended({ ...operator, interruptsAt });
      const interrupted = "interrupted: nothing was written";
      expect([interruptsAt, progress, code, stored()]).toEqual([interruptsAt, interrupted, 1, UNTOUCHED]);
    }
    const { code, questions } = await attended(operator);
    expect(questions).toEqual(begin.map((start) => expect.stringMatching(new RegExp(`^${start}`))));
    expect(code).toBe(0);
  });

  it("keeps what is there when it is repeated, and does not ask for it", async () => {
    await unattended();
    const before = stored();
    const { out, code, questions } = await attended();
    expect(questions).toEqual([]);
    expect(out).toContain(`${NAMES.webhookSecret}: is there, a SecureString; it is kept`);
    expect([code, stored()]).toEqual([0, before]);
  });

  it("writes what is missing after a write that failed", async () => {
    let writes = 0;
    state().refused = { PutParameter: () => (++writes === 2 ? "AccessDeniedException" : undefined) };
    const failed = await unattended();
    expect(failed.progress).toContain("your credentials need ssm:PutParameter");
    const [secret, key] = stored();
    expect([failed.code, key]).toEqual([1, undefined]);
    expect((await unattended()).code).toBe(0);
    expect(stored()).toEqual([secret, WRITE_KEY]);
  });

  const html = { status: 200, contentType: "text/html", body: "<html>log in</html>" };
  it.each<[string, Partial<ControlPlaneState>, RegExp]>([
    ["AWS refuses GetCallerIdentity", { refused: { GetCallerIdentity: "AccessDenied" } }, /GetCallerIdentity/],
    ["AWS refuses ListFunctions", { refused: { ListFunctions: "AccessDenied" } }, /ListFunctions/],
    ["AWS refuses GetParameter", { refused: { GetParameter: "AccessDenied" } }, /GetParameter/],
    ["the login has expired", { refused: { GetCallerIdentity: "ExpiredToken" } }, /^ExpiredToken: log in to AWS again/],
    ["a parameter was created meanwhile", { refused: { PutParameter: "ParameterAlreadyExists" } }, /and is not overwritten/],
    ["AWS throttles PutParameter", { refused: { PutParameter: "ThrottlingException" } }, /^ThrottlingException/],
    [
      "something else than STS answers",
      { broken: { GetCallerIdentity: html } },
      /^status 200, not an answer of AWS: is a proxy/,
    ],
  ])("writes nothing if %s, and can be repeated", async (_, changes, message) => {
    Object.assign(state(), changes);
    const { code, progress } = await unattended();
    expect(progress).toMatch(message);
    expect([code, stored()]).toEqual([1, UNTOUCHED]);
    Object.assign(state(), { refused: {}, broken: {} });
    expect((await unattended()).code).toBe(0);
  });

  const otherAccount = { cdkJson: cdkJsonWith({ account: "111111111111" }) };
  const noObject = { cdkJson: { context: { environments: [] } } };
  const us = ["--segment-region", "us"];
  it.each<[string, Operator, readonly string[], number, RegExp]>([
    ["a name that no environment can have", {}, ["--environment", "a/b"], 2, /^--environment: an environment's name/],
    ["environments that are no object", noObject, [], 1, /^cdk.json: context.env/],
    ["a region of Segment that is none", {}, ["--segment-region", "asia"], 2, /^--segment-region: allowed is us or eu/],
    ["another region of Segment than cdk.json's", ofEu, us, 2, /^--segment-region is us, cdk.json has "segmentRegion": "eu"/],
    ["a region beside an endpoint of cdk.json", withEndpoint, us, 2, /^--segment-region: cdk.json has "segmentEndpoint"/],
    ["another account than cdk.json's", otherAccount, [], 1, /^the credentials are of account 0{12}, cdk.json has .* "1{12}"/],
    ["an empty standard input", { piped: "\n" }, [], 1, /^the write key on standard input is empty: nothing was written/],
  ])("refuses %s", async (_, operator, args, code, message) => {
    const ran = await unattended(operator, ...args);
    expect(ran.progress).toMatch(message);
    expect([ran.code, stored()]).toEqual([code, UNTOUCHED]);
  });

  it("needs a terminal or --yes, and an environment where cdk.json has several", async () => {
    const operator = { cdkJson: cdkJsonWith({}), piped: WRITE_KEY };
    const nobody = await onAws(["--environment", "staging"], operator);
    expect([nobody.code, nobody.progress]).toEqual([1, expect.stringMatching(/^no one can answer here: .*--yes/)]);
    const alone = await onAws(["--yes"], { piped: WRITE_KEY });
    expect(alone.out).toMatch(/^ok {4}pipeline: deployed as stack \S+-production$/m);
    const several = await onAws(["--yes"], operator);
    expect(several.progress).toMatch(/^cdk.json has several environments, production, staging/);
    expect([several.code, stored()]).toEqual([2, UNTOUCHED]);
  });

  it("leaves the name of the stack open in an app of its own", async () => {
    const { out } = await unattended({ cdkJson: { app: "node my-app.js" }, settings: EU_SOURCE });
    expect(out).toContain('1. write into the props of FlagsmithToSegment: { "segmentRegion": "eu" }');
    expect(out).toContain("2. AWS_REGION=us-east-1 npx cdk deploy <your stack>\n");
  });

  it("names a user without a role, and a reserved concurrency that AWS would refuse", async () => {
    state().caller = "arn:aws:iam::000000000000:user/team/ann";
    const { out } = await unattended({ cdkJson: cdkJsonWith({ reservedConcurrency: 901 }) });
    expect(out).toContain("ok    credentials: account 000000000000, user team/ann, region");
    expect(out).toMatch(/FAIL {2}Lambda's quota: .*: AWS refuses reservedConcurrency 901, because 100 must stay/);
    expect((await unattended({ cdkJson: cdkJsonWith({ reservedConcurrency: 900 }) })).out).toContain("ok    Lambda's quota");
  });

  it("names the stack that was given in both commands, which are the clone's where its script was called", async () => {
    const { out } = await unattended({ environment: { npm_lifecycle_event: "setup" } }, "--stack", "Own");
    expect(out).toContain("1. AWS_REGION=us-east-1 npx cdk deploy Own\n");
    expect(out).toContain("2. npm run setup -- --region us-east-1 --environment staging --stack Own");
  });

  it("overwrites no parameter that was created meanwhile", async () => {
    state().refused = { PutParameter: () => void ssm().set(NAMES.webhookSecret, "another's") };
    expect((await unattended()).code).toBe(1);
    expect(stored()).toEqual(["another's", undefined]);
  });

  it("goes on where it may not read the quota, and says which right is missing", async () => {
    state().refused = { GetAccountSettings: "AccessDeniedException" };
    const { code, out } = await unattended();
    expect(out).toMatch(/skip {2}Lambda's quota: not looked at: .* -> your credentials need lambda:GetAccountSettings/);
    expect(code).toBe(0);
  });

  it("names an account's small quota, and puts the bootstrap before the deploy", async () => {
    state().concurrency = 19;
    ssm().delete(BOOTSTRAP);
    const { out } = await unattended();
    expect(out).toMatch(/warn {2}Lambda's quota: the account runs up to 19 .* "maxConcurrency": 2/);
    expect(out).toContain("1. npx cdk bootstrap aws://000000000000/us-east-1\n  2. AWS_REGION");
  });

  it("names an old bootstrap, with its qualifier in every command", async () => {
    ssm().set("/cdk-bootstrap/own/version", "5", "String");
    const { out } = await unattended({}, "--qualifier", "own");
    expect(out).toContain("1. npx cdk bootstrap aws://000000000000/us-east-1 --qualifier own");
    expect(out).toContain("cdk deploy FlagsmithToSegment-staging -c @aws-cdk/core:bootstrapQualifier=own");
    const context = { environments: { staging: {} }, "@aws-cdk/core:bootstrapQualifier": "own" };
    const known = await unattended({ cdkJson: { app: "node infra/app.ts", context } });
    expect(known.out).toMatch(/--qualifier own\n.*cdk deploy FlagsmithToSegment-staging\n/);
  });

  it("encrypts with the key of cdk.json, or with that of the option, which the deploy command has as well", async () => {
    await unattended({ cdkJson: cdkJsonWith({ kmsKeyArn: KMS }) });
    expect([...ssm().keyIds.values()]).toEqual([KMS, KMS]);
    const typed = await attended({ cdkJson: cdkJsonWith(), types: () => "alias/mine" });
    expect(typed).toMatchObject({ code: 1, progress: "not the ARN of a KMS key: alias/mine" });
    ssm().delete(NAMES.writeKey);
    const { out } = await unattended({ cdkJson: cdkJsonWith() }, "--kms-key-arn", KMS);
    expect(out).toContain(`-c environments='{"production":{},"staging":{"kmsKeyArn":"${KMS}"}}'`);
  });
});

describe("setup and the write key", () => {
  it("takes the region of the key's source into the deploy command", async () => {
    const { out } = await unattended({ settings: EU_SOURCE, cdkJson: cdkJsonWith({ traitPrefix: "it's_" }) });
    expect(out).toContain("ok    write key at Segment: belongs to a source in eu");
    expect(out).toContain(`-c environments='{"production":{},"staging":{"traitPrefix":"it'\\''s_","segmentRegion":"eu"}}'`);
    expect(out).toContain(`context.environments.staging: { "segmentRegion": "eu" }`);
  });

  it("goes on with an unknown key only if the operator wants it", async () => {
    const asked = await attended({ settings: UNKNOWN, answer: async (question) => !/^no source/.test(question) });
    expect(asked.progress).toMatch(/^no write key: nothing was written/);
    expect(stored()).toEqual(UNTOUCHED);
    const { out, code } = await unattended({ settings: UNKNOWN });
    expect(out).toMatch(/--yes: no source at Segment has the write key: .*; the write key is used as it is/);
    expect([code, stored()[1]]).toEqual([0, WRITE_KEY]);
    ssm().delete(NAMES.writeKey);
    const { questions } = await attended({ settings: UNKNOWN }, ["short"]);
    expect(questions[1]).toMatch(/^the write key has 5 characters; Segment's have 32, and no source at Segment has/);
  });

  it("asks again for a key that can be none, and about one of another length", async () => {
    const { out, questions } = await attended({}, ["", PLACEHOLDERS.writeKey, "short"]);
    expect(out).toMatch(/the write key is empty\nthe write key has blanks/);
    expect(questions).toContainEqual("the write key has 5 characters; Segment's have 32. Use it?");
    expect(stored()[1]).toBe("short");
  });

  it("says so if Segment's settings can't be reached, and goes on", async () => {
    const { code, out } = await unattended({ settings: new Error("no route") });
    expect(out).toMatch(/skip {2}write key at Segment: not looked at: cdn.segment.com can't be reached from here: no route/);
    expect(out).toContain("--yes: Segment does not say where the source is; segmentRegion stays us");
    expect(code).toBe(0);
  });

  it("asks before it goes on with a source of another region", async () => {
    const { questions } = await attended(ofEu);
    expect(questions[1]).toMatch(/^the write key's source is in us, and the pipeline sends to eu: .*Go on\?$/);
    ssm().delete(NAMES.writeKey);
    const refused = await attended({ ...ofEu, answer: async (question) => !question.endsWith("Go on?") });
    expect(refused.progress).toBe('nothing was written; set option "segmentRegion": "us"');
    expect([refused.code, stored()[1]]).toEqual([1, undefined]);
  });

  it("adds no region beside an endpoint of cdk.json", async () => {
    const { out } = await unattended({ ...withEndpoint, settings: EU_SOURCE });
    expect(out).toContain("npx cdk deploy FlagsmithToSegment-staging\n");
  });

  it("asks for the region where Segment does not say it", async () => {
    const types = (question: string) => (question.startsWith("Segment's region") ? "eu" : WRITE_KEY);
    const { out } = await attended({ settings: settingsWith(undefined), types });
    expect(out).toContain(`"staging":{"segmentRegion":"eu"}`);
  });

  it("replaces a placeholder only after a question, and never with --yes", async () => {
    ssm().set(NAMES.writeKey, PLACEHOLDERS.writeKey);
    const { code, out } = await unattended();
    expect(out).toContain(`${NAMES.writeKey} holds the placeholder; it is kept: --yes overwrites nothing`);
    expect([code, stored()[1]]).toEqual([1, PLACEHOLDERS.writeKey]);
    const { questions } = await attended();
    expect(questions[0]).toBe(`${NAMES.writeKey} holds the placeholder. Replace it?`);
    expect(stored()[1]).toBe(WRITE_KEY);
  });

  it("asks about a stored key that Segment does not know, and replaces it by another", async () => {
    ssm().set(NAMES.writeKey, "o".repeat(32));
    await unattended({ settings: UNKNOWN });
    expect(stored()[1]).toBe("o".repeat(32));
    await attended({ settings: UNKNOWN });
    expect(stored()[1]).toBe(WRITE_KEY);
  });
});

describe("setup after the deploy", () => {
  const PRODUCTION = ["--environment", "production"];
  beforeEach(() => ssm().set(DEPLOYED.writeKey, WRITE_KEY));

  it("prints the URL, and how to read the secret", async () => {
    const { out, code } = await unattended({}, ...PRODUCTION);
    expect(out).toMatch(/project's Integrations page .*Webhook/);
    expect(out).toMatch(/Your Webhook URL Endpoint: {2}https:\/\/abc123\.execute-api\.us-east-1\.\S+\/webhook/);
    expect(out).toMatch(/Your Webhook Secret: +what this prints: aws ssm get-parameter/);
    expect(out).not.toContain("integration-secret");
    const wait = "npx --no flagsmith-to-segment doctor --wait --region us-east-1 --environment production";
    expect(out).toMatch(new RegExp(`then wait for .*: ${wait}$`));
    expect(code).toBe(0);
  });

  it.each([true, false])("prints the secret only after a question: %s", async (answer) => {
    ssm().set(DEPLOYED.webhookSecret, "integration-secret\nolder");
    const { out, code } = await attended({ answer }, [], ...PRODUCTION, "--minutes", "0.001");
    expect(out).toContain("FAIL  first webhook: nothing arrived in 0.001 min");
    expect(code).toBe(1);
    expect(out.includes("integration-secret")).toBe(answer);
    expect(out).not.toContain("older");
  });

  it("names the stack's output where it may not read the URL", async () => {
    state().refused = { GetPolicy: "AccessDeniedException" };
    const { out, code } = await unattended({ environment: { npm_lifecycle_event: "setup" } }, ...PRODUCTION);
    expect(out).toMatch(/then wait for the first webhook: npm run doctor -- --wait --region/);
    expect(out).toMatch(/the output WebhookUrl of stack \S+ \(not read: your credentials need lambda:GetPolicy\)/);
    expect(code).toBe(0);
  });

  it("creates a parameter that is missing, by the names of the deployed pipeline", async () => {
    ssm().delete(DEPLOYED.writeKey);
    const { progress } = await attended({ interruptsAt: "Show the webhook secret" }, [WRITE_KEY], ...PRODUCTION);
    expect(progress).toBe("interrupted");
    expect(stored(DEPLOYED)).toEqual(["integration-secret", WRITE_KEY]);
  });
});

describe("the hidden question", () => {
  const ask = (typed: readonly string[], end = false) => {
    const modes: boolean[] = [];
    const input = Object.assign(new PassThrough(), { isRaw: false, setRawMode: (mode: boolean) => modes.push(mode) });
    const output = new PassThrough();
    const answer = askHidden("key? ", input, output);
    for (const text of typed) input.write(text);
    if (end) input.end();
    return { answer, modes, shown: () => String(output.read()) };
  };

  it("takes what is typed or pasted, corrected, and shows nothing of it", async () => {
    const { answer, modes, shown } = ask(["x\u0015ab\u007Fc", "\u001B[200~déf\u001B[201~", "\rmore"]);
    expect(await answer).toBe("acdéf");
    expect(shown()).toBe("key? \n");
    expect(modes).toEqual([true, false]);
  });

  it.each<[string, readonly string[], boolean]>([
    ["Ctrl-C", ["ab\u0003"], false],
    ["Ctrl-D", ["ab\u0004"], false],
    ["the end of the input", ["ab"], true],
  ])("ends with raw mode off at %s", async (_, typed, end) => {
    const { answer, modes } = ask(typed, end);
    await expect(answer).rejects.toThrow(InterruptedError);
    expect(modes).toEqual([true, false]);
  });
});
