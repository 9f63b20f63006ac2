import { connect } from "../../infra/cli/aws";
import { explain } from "../../infra/cli/explain";
import { runCommand, usePipeline } from "./commands";

describe("a command on AWS", () => {
  const { cloud, state, local, onAws } = usePipeline();

  it("names no pipeline, the stack that has none, and what pipelines there are", async () => {
    state().stacks = { Failed: "ROLLBACK_COMPLETE", Deploying: "CREATE_IN_PROGRESS", CDKToolkit: "UPDATE_COMPLETE" };
    const other = await local(["doctor", "--environment", "staging"]);
    expect(other.progress).toContain(`there are\n  --stack ${cloud().stackName} --environment production`);
    const { options } = Object(cloud().controlPlane);
    const deploy = (functions: readonly unknown[]) =>
      Object.assign(cloud().controlPlane, { options: { ...options, functions } });
    deploy([...options.functions, ...options.functions]);
    const several = await local(["doctor"]);
    expect(several).toMatchObject({
      code: 1,
      progress: expect.stringMatching(/several pipelines fit; .*(\n {2}--stack \S+ --env.*){2}$/),
    });
    deploy([]);
    const why = async (...args: readonly string[]) => (await local(["doctor", ...args])).progress;
    expect(await why("--stack", "Failed")).toMatch(/^stack Failed is ROLLBACK_COMPLETE .* delete it,/m);
    expect(await why("--stack", "Deploying")).toMatch(/CREATE_IN_PROGRESS .* wait until that is done$/);
    expect(await why("--stack", "CDKToolkit")).toMatch(/UPDATE_COMPLETE .* is it the right stack\?$/);
    expect(await why("--stack", "None")).toContain("no stack None in us-east-1");
    expect(await local(["doctor"])).toMatchObject({ code: 1, progress: expect.stringContaining("no pipeline in us-east-1") });
  });

  it.each<[string, string, RegExp]>([
    ["names the right that is missing", "AccessDeniedException", /; your credentials need lambda:ListFunctions$/],
    ["names no right for another refusal", "TooManyRequestsException", /TooManyRequestsException: not now$/],
  ])("%s", async (_, refusal, message) => {
    state().refused = { ListFunctions: refusal };
    // With the region, the command is not meant for a running npm start.
    const environment = { npm_lifecycle_event: "trace" };
    expect(await onAws(["trace", "ann"], { environment })).toMatchObject({ code: 1, progress: expect.stringMatching(message) });
  });

  it.each<[string, number, string, string, string]>([
    ["a portal's page", 200, "text/html", "<!doctype html><html>log in</html>", "status 200"],
    ["a page that says it is JSON", 200, "application/json", "<html></html>", "status 200"],
    ["a proxy's refusal", 403, "text/plain", "blocked by policy", "status 403"],
    ["a gateway's failure", 502, "text/html", "<html>Bad Gateway</html>", "status 502"],
    ["JSON that is cut off", 200, "application/json", '{"Functions": [{"FunctionNa', "status 200"],
    ["JSON of another service", 403, "application/json", '{"error":"blocked"}', "status 403"],
    ["JSON without the list", 200, "application/json", "{}", "an answer without Functions"],
  ])("says that %s is no answer of AWS, with its status and nothing else", async (_, status, contentType, body, said) => {
    state().broken = { ListFunctions: { status, contentType, body } };
    const { code, progress } = await onAws(["doctor"]);
    expect(code).toBe(1);
    expect(progress.split("\n").at(-1)).toBe(`${said}, not an answer of AWS: is a proxy in between?`);
  });
});

describe("an error", () => {
  const noCredentials = { name: "CredentialsProviderError", message: "Could not load credentials from any providers" };
  const unknownHost = Object.assign(new Error("getaddrinfo ENOTFOUND sqs"), { code: "ENOTFOUND" });
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const HTTPS_PROXY = "http://proxy";

  it.each<[string, object, Readonly<Record<string, string>>, RegExp]>([
    [
      "a profile that gives no credentials",
      noCredentials,
      { AWS_PROFILE: "typo" },
      /^AWS_PROFILE typo: there is no such profile/,
    ],
    ["no credentials", noCredentials, {}, /^no AWS credentials: log in/],
    ["an expired login", { name: "ExpiredTokenException" }, {}, /^ExpiredTokenException: log in to AWS again$/],
    ["an unknown key", { name: "UnrecognizedClientException" }, {}, /^UnrecognizedClientException: log in to AWS again$/],
    ["an unknown host", unknownHost, {}, /is there a network\?$/],
    ["an unknown host beside a proxy", unknownHost, { HTTPS_PROXY }, /is there a network\?; HTTPS_PROXY is not used$/],
    ["a refused connection beside a proxy", refused, { HTTPS_PROXY }, /^connect ECONNREFUSED; HTTPS_PROXY is not used$/],
  ])("of %s is explained", (_, error, environment, explanation) => {
    expect(explain(error, environment)).toMatch(explanation);
  });
});

describe("the program", () => {
  it.each<[readonly string[], number, RegExp]>([
    [["--help"], 0, /^usage: flagsmith-to-segment <command>/],
    [["trace", "--help"], 0, /^usage: flagsmith-to-segment trace <messageId \| user id>/],
    [["trace"], 2, /^one messageId or user id is needed\nusage/],
    [["trace", "x", "--hours", "no"], 2, /^--hours: allowed is/],
    [["trace", "x", "--seconds", "0"], 2, /^--seconds: allowed is/],
    [["nonsense"], 2, /^unknown command nonsense\nusage: flagsmith-to-segment <command>/],
    [["toString"], 2, /^unknown command toString\nusage: flagsmith-to-segment <command>/],
    [["doctor", "--nonsense"], 2, /^Unknown option '--nonsense'\nusage: .*\n--help says more$/],
    [["doctor", "--local", "--region", "eu-west-1"], 2, /^--local or --region, not both/],
    [["doctor", "--url", "ftp://x"], 2, /^--url: allowed is a URL with http/],
    [["doctor", "--minutes", "3"], 2, /^--minutes goes with --wait/],
    [["doctor", "--wait", "--minutes", "soon"], 2, /^--minutes: allowed/],
    [["dead-letters", "redrive"], 2, /^unknown argument redrive/],
    [["dead-letters", "--newest"], 2, /^--newest: needs --redrive/],
    [["dead-letters", "--redrive", "--delete-older"], 2, /^--delete-older: needs --newest/],
    [["dead-letters", "--delete", ""], 2, /^--delete: a messageId is needed/],
    [["dead-letters", "--redrive", "--delete", "m"], 2, /^--redrive or --delete, not both/],
    [["send"], 2, /^one file is needed\nusage: flagsmith-to-segment send <file\.json>/],
    [["send", "nowhere.json"], 1, /^nowhere\.json: ENOENT/],
    [["send", "cdk.json", "--url", "http://127.0.0.1:1/webhook"], 1, /is it deployed, or npm start running\?$/],
    [["send", "tsconfig.json", "--as", "me"], 1, /^--as: the file has no identity/],
    [["send", "tsconfig.json", "--url", "ftp://x"], 2, /^--url: allowed is a URL with http/],
    [["send", "tsconfig.json", "--url", "http://"], 2, /^--url: allowed is a URL with http/],
    [["send", "tsconfig.json", "--secret", ""], 2, /^--secret, .*: must not be empty/],
  ])("is called %j", async (args, code, message) => {
    const ran = await runCommand(args);
    expect(ran.code).toBe(code);
    expect(ran.out + ran.progress).toMatch(message);
  });

  it.each<[string, string, number, RegExp]>([
    ["where no npm start runs", "1", 1, /^no answer at http:\/\/127\.0\.0\.1:1\/: is npm start running\?/],
    ["that is none", "abc", 2, /^PORT: allowed is the port that npm start printed; got "abc"/],
    ["that means any", "0", 2, /^PORT: allowed is the port that npm start printed; got "0"/],
    ["beyond the last", "65536", 2, /^PORT: allowed is the port that npm start printed; got "65536"/],
  ])("refuses a port %s", async (_, PORT, code, message) => {
    const ran = await runCommand(["doctor", "--local"], { environment: { PORT } });
    expect(ran).toMatchObject({ code, progress: expect.stringMatching(message) });
  });

  it.each<[string, string | undefined, Readonly<Record<string, string>>]>([
    ["eu-west-1", "eu-west-1", { AWS_REGION: "eu-west-2" }],
    ["eu-west-2", undefined, { AWS_REGION: "eu-west-2", AWS_DEFAULT_REGION: "eu-west-3" }],
    ["eu-west-3", undefined, { AWS_DEFAULT_REGION: "eu-west-3" }],
  ])("asks AWS in %s with --region %s and the variables %j", async (expected, region, environment) => {
    const silent = { print() {}, progress() {}, confirm: async () => undefined, onInterrupt: () => () => {} };
    expect((await connect({ region }, { environment, ...silent })).region).toBe(expected);
  });

  it("is called by its script in the clone", async () => {
    const { out } = await runCommand(["trace", "--help"], { environment: { npm_lifecycle_event: "trace" } });
    expect(out).toMatch(/^usage: npm run trace -- <messageId/);
  });
});
