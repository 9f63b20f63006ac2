import { connect } from "../../infra/cli/aws";
import { run } from "../../infra/cli/commands";
import { explain } from "../../infra/cli/explain";
import type { Options } from "../../lambda/options";
import { type Operator, runLocal, runOnAws } from "./commands";
import { type Pipeline, startPipeline } from "./pipeline";

let pipeline: Pipeline;

const command = (args: readonly string[], operator: Operator = {}) => runLocal(pipeline, args, operator);

const start = async (options: Options = {}) => {
  pipeline = await startPipeline({ options });
};
afterEach(() => pipeline.stop());

describe("on AWS", () => {
  it("names no pipeline, the stack that has none, and what pipelines there are", async () => {
    await start();
    const { controlPlane, stackName } = pipeline.cloud;
    controlPlane.state.stacks = { Failed: "ROLLBACK_COMPLETE", Deploying: "CREATE_IN_PROGRESS", CDKToolkit: "UPDATE_COMPLETE" };
    const other = await command(["doctor", "--environment", "staging"]);
    expect(other.progress).toContain(`there are\n  --stack ${stackName} --environment production`);
    Object.assign(controlPlane, { options: { ...Object(controlPlane).options, functions: [] } });
    const why = async (...args: readonly string[]) => (await command(["doctor", ...args])).progress;
    expect(await why("--stack", "Failed")).toMatch(/^stack Failed is ROLLBACK_COMPLETE .* delete it,/m);
    expect(await why("--stack", "Deploying")).toMatch(/CREATE_IN_PROGRESS .* wait until that is done$/);
    expect(await why("--stack", "CDKToolkit")).toMatch(/UPDATE_COMPLETE .* is it the right stack\?$/);
    expect(await why("--stack", "None")).toContain("no stack None in us-east-1");
    expect(await command(["doctor"])).toMatchObject({ code: 1, progress: expect.stringContaining("no pipeline in us-east-1") });
  });

  it.each<[string, string, RegExp]>([
    ["names the right that is missing", "AccessDeniedException", /; your credentials need lambda:ListFunctions$/],
    ["names no right for another refusal", "TooManyRequestsException", /TooManyRequestsException: not now$/],
  ])("%s", async (_, refusal, message) => {
    await start();
    pipeline.cloud.controlPlane.state.refused = { ListFunctions: refusal };
    const ran = await runOnAws(pipeline, ["trace", "ann"]);
    expect(ran).toMatchObject({ code: 1, progress: expect.stringMatching(message) });
  });

  it("says what is wrong with the credentials", () => {
    const error = { name: "CredentialsProviderError", message: "Could not load credentials from any providers" };
    expect(explain(error, { AWS_PROFILE: "typo" })).toMatch(/^AWS_PROFILE typo: there is no such profile/);
    expect(explain(error, {})).toMatch(/^no AWS credentials: log in/);
    expect(explain({ name: "ExpiredTokenException" }, {})).toBe("ExpiredTokenException: log in to AWS again");
  });

  it("says that a proxy is not used where one is set and AWS can't be reached", () => {
    const error = Object.assign(new Error("getaddrinfo ENOTFOUND sqs"), { code: "ENOTFOUND" });
    expect(explain(error, { HTTPS_PROXY: "http://proxy" })).toMatch(/is there a network\?; HTTPS_PROXY is not used$/);
    expect(explain(error, {})).toMatch(/is there a network\?$/);
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    expect(explain(refused, { HTTPS_PROXY: "http://proxy" })).toBe("connect ECONNREFUSED; HTTPS_PROXY is not used");
  });

  it.each<[string, number, string, string]>([
    ["a portal's page", 200, "text/html", "<!doctype html><html>log in</html>"],
    ["a page that says it is JSON", 200, "application/json", "<html></html>"],
    ["a proxy's refusal", 403, "text/plain", "blocked by policy"],
    ["a gateway's failure", 502, "text/html", "<html>Bad Gateway</html>"],
    ["JSON that is cut off", 200, "application/json", '{"Functions": [{"FunctionNa'],
    ["JSON of another service", 403, "application/json", '{"error":"blocked"}'],
  ])("says that %s is no answer of AWS, with its status and nothing else", async (_, status, contentType, body) => {
    await start();
    pipeline.cloud.controlPlane.state.broken = { ListFunctions: { status, contentType, body } };
    const { code, progress } = await runOnAws(pipeline, ["doctor"]);
    expect(code).toBe(1);
    expect(progress.split("\n").at(-1)).toBe(`status ${status}, not an answer of AWS: is a proxy in between?`);
  });

  it("does not read an answer without its list as none", async () => {
    await start();
    pipeline.cloud.controlPlane.state.broken = { ListFunctions: { status: 200, contentType: "application/json", body: "{}" } };
    const { code, progress } = await runOnAws(pipeline, ["doctor"]);
    expect(code).toBe(1);
    expect(progress).toMatch(/an answer without Functions, not an answer of AWS: is a proxy in between\?$/);
  });

  it("says where no npm start runs", async () => {
    await start();
    const terminal = { environment: { PORT: "1" }, print: () => {}, progress: () => {} };
    const nobody = { ...terminal, confirm: async () => undefined, onInterrupt: () => () => {} };
    await expect(connect({ local: true }, nobody)).rejects.toThrow("no answer at http://127.0.0.1:1/: is npm start running?");
  });
});

describe("send", () => {
  it.each<[string, readonly string[], number, RegExp]>([
    ["no file", [], 2, /^one file is needed\nusage: flagsmith-to-segment send <file\.json>/],
    ["a file that is not there", ["nowhere.json"], 1, /^nowhere\.json: ENOENT/],
    ["nobody listening", ["cdk.json", "--url", "http://127.0.0.1:1/webhook"], 1, /is it deployed, or npm start running\?$/],
    ["no identity to replace", ["tsconfig.json", "--as", "me"], 1, /^--as: the file has no identity/],
    ["another protocol", ["tsconfig.json", "--url", "ftp://x"], 2, /^--url: allowed is a URL with http/],
    ["a URL that is none", ["tsconfig.json", "--url", "http://"], 2, /^--url: allowed is a URL with http/],
    ["an empty secret", ["tsconfig.json", "--secret", ""], 2, /^--secret, .*: must not be empty/],
  ])("says what is wrong with %s", async (_, args, code, message) => {
    await start();
    const progress: string[] = [];
    const terminal = { environment: {}, print: () => {}, progress: (text: string) => progress.push(text) };
    expect(await run(["send", ...args], { ...terminal, confirm: async () => undefined, onInterrupt: () => () => {} })).toBe(
      code,
    );
    expect(progress.join("\n")).toMatch(message);
  });
});

describe("the program", () => {
  it.each([
    [["--help"], 0, /^usage: flagsmith-to-segment <command>/],
    [["trace", "--help"], 0, /^usage: flagsmith-to-segment trace <messageId \| user id>/],
    [["trace"], 2, /^one messageId or user id is needed\nusage/],
    [["trace", "x", "--hours", "no"], 2, /^--hours: allowed is/],
    [["doctor", "--nonsense"], 2, /^Unknown option '--nonsense'\nusage: .*\n--help says more$/],
    [["doctor", "--region", "eu-west-1"], 2, /^--local or --region, not both/],
    [["nonsense"], 2, /^unknown command nonsense\nusage: flagsmith-to-segment <command>/],
    [["toString"], 2, /^unknown command toString\nusage: flagsmith-to-segment <command>/],
    [["trace", "x", "--seconds", "0"], 2, /^--seconds: allowed is/],
    [["doctor", "--url", "ftp://x"], 2, /^--url: allowed is a URL with http/],
    [["dead-letters", "--newest"], 2, /^--newest: needs --redrive/],
    [["dead-letters", "--redrive", "--delete-older"], 2, /^--delete-older: needs --newest/],
    [["doctor", "--help"], 0, /skip, warning or failed\n.*\n.*Exit code 1 where a check failed; not for warn and skip\./s],
    [["dead-letters", "redrive"], 2, /^unknown argument redrive/],
    [["dead-letters", "--delete", ""], 2, /^--delete: a messageId is needed/],
    [["dead-letters", "--redrive", "--delete", "m"], 2, /^--redrive or --delete, not both/],
  ])("is called %j", async (args, code, message) => {
    await start();
    const ran = await command(args);
    expect(ran.code).toBe(code);
    expect(ran.out + ran.progress).toMatch(message);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ["an option that npm read", { npm_config_region: "eu-west-1" }, /^npm read --region as its own option: options come after/],
    ["a port that is none", { PORT: "abc" }, /^PORT: allowed is the port that npm start printed; got "abc"/],
    ["any port", { PORT: "0" }, /^PORT: allowed is the port that npm start printed; got "0"/],
  ])("refuses %s", async (_, environment, message) => {
    await start();
    expect(await command(["doctor"], { environment })).toMatchObject({ code: 2, progress: expect.stringMatching(message) });
  });

  it("is called by its script in the clone", async () => {
    await start();
    const { out } = await command(["trace", "--help"], { environment: { npm_lifecycle_event: "trace" } });
    expect(out).toMatch(/^usage: npm run trace -- <messageId/);
  });
});
