import { run } from "../../infra/cli/commands";
import { verifySignature } from "../../lambda/receive/signature";
import { version } from "../../package.json";
import { Loopback } from "../support/loopback";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly progress: string;
}

async function command(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const out: string[] = [];
  const progress: string[] = [];
  const code = await run(args, {
    environment,
    print: (text) => out.push(text),
    progress: (text) => progress.push(text),
    confirm: async () => undefined,
    onInterrupt: () => () => {},
  });
  return { code, out: out.join("\n"), progress: progress.join("\n") };
}

describe("send", () => {
  it("makes a body of the flags and signs it", async () => {
    const webhook = await Loopback.start(() => ({ status: 202, body: "accepted" }));
    const flags = [
      "--flag",
      "checkout=b",
      "--flag=limit=25",
      "--flag=low=-3",
      "--flag=id=1234567890123456",
      "--flag",
      "dark_mode",
      "--flag",
      "beta=true",
      "--flag",
      "empty=",
      "--off",
      "email",
    ];
    const { code } = await command(["send", ...flags, "--as", "ann", "--url", `${webhook.url}/webhook`, "--secret", "s"]);
    await webhook.stop();
    expect(code).toBe(0);
    const [{ body, headers }] = webhook.requests as [(typeof webhook.requests)[number]];
    expect(verifySignature(Buffer.from(body), String(headers["x-flagsmith-signature"]), ["s"])).toBe(true);
    const { identity, flags: sent } = JSON.parse(body);
    expect(identity).toBe("ann");
    expect(
      sent.map(({ feature, enabled, feature_state_value: value }: never) => [Object(feature).name, enabled, value]),
    ).toEqual([
      ["checkout", true, "b"],
      ["limit", true, 25],
      ["low", true, -3],
      ["id", true, "1234567890123456"],
      ["dark_mode", true, null],
      ["beta", true, true],
      ["empty", true, ""],
      ["email", false, null],
    ]);
  });

  it.each([
    [["send", "--flag", "=b"], /^--flag, --off: the name of a flag is needed\n/],
    [["send", "--off", ""], /^--flag, --off: the name of a flag is needed\n/],
    [["send", "file.json", "--flag", "a"], /^unknown argument file\.json\n/],
  ])("refuses %j", async (args, message) => {
    expect(await command(args)).toMatchObject({ code: 2, progress: expect.stringMatching(message) });
  });

  it.each([
    [202, 0, /^202 answer$/],
    [400, 1, /^400 answer$/],
    [401, 1, /^401 answer\nsigned with another secret than the webhook's/],
    [404, 1, /^404 answer\nnothing is at http:\S+: the webhook's URL ends in \/webhook$/],
  ])("signs with the variable's first secret, and explains status %i", async (status, code, out) => {
    const webhook = await Loopback.start(() => ({ status, body: "answer" }));
    const environment = { FLAGSMITH_WEBHOOK_SECRET: "new\nold" };
    const ran = await command(["send", "--flag", "a", "--url", `${webhook.url}/`], environment);
    await webhook.stop();
    expect(ran).toMatchObject({ code, out: expect.stringMatching(out) });
    const [{ body = "", headers = {} } = {}] = webhook.requests;
    expect(verifySignature(Buffer.from(body), String(headers["x-flagsmith-signature"]), ["new"])).toBe(true);
  });
});

describe("the operator's program", () => {
  it("says its version", async () => {
    expect(await command(["--version"])).toEqual({ code: 0, out: version, progress: "" });
  });

  it.each<[readonly string[], Record<string, string>, string]>([
    [["doctor"], { npm_config_local: "true" }, "npm run doctor -- --local"],
    [["trace", "ann"], { npm_config_region: "eu-west-1" }, "npm run trace -- --region eu-west-1 ann"],
    [["send", "a.json"], { npm_config_secret: "hidden" }, "npm run send -- --secret <secret> a.json"],
  ])("says what to type if npm read an option of %j as its own", async (args, environment, typed) => {
    const { code, progress } = await command(args, environment);
    expect(code).toBe(2);
    expect(progress.split("\n")[0]).toMatch(new RegExp(`^npm read --\\w+ as its own option: .* Type: ${typed}$`));
  });
});
