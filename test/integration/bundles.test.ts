import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../../infra/bundle";
import { BundleHost, hostBundles, synthesize } from "../support/bundles";
import { evaluations, fixture, REAL_SECRET, type RealWebhook, realWebhooks, signatures } from "../support/fixtures";
import ofRelease1 from "../support/fixtures/message-of-1.0.0.json";
import { type Pipeline, startPipeline } from "./pipeline";

const FUNCTIONS = join(__dirname, "../../dist/functions");

/** Reserved names are sent as `flag_<name>`, and a value that exceeds a call gives way to the flag's state. */
function withSpecialCases(builtin: RealWebhook["builtin"]) {
  const entries = Object.entries(builtin?.traits ?? {}).map(([name, value]) => [
    ["name", "email", "title", "createdAt"].includes(name) ? `flag_${name}` : name,
    typeof value === "string" && value.length > 32_000 ? true : value,
  ]);
  return { userId: builtin?.userId, traits: Object.fromEntries(entries) };
}

describe("the bundles", () => {
  let hosts: ReturnType<typeof hostBundles>;
  let pipeline: Pipeline;

  beforeAll(async () => {
    pipeline = await startPipeline({
      webhookSecret: `${signatures.secret}\n${REAL_SECRET}`,
      load: (environments) => {
        hosts = hostBundles(environments);
        return hosts;
      },
    });
  });
  afterAll(async () => {
    await pipeline.stop();
    await hosts.stop();
  });

  it.each(evaluations)("send exactly the expected traits of $name", async ({ name, expected }) => {
    const { status, messageId } = await pipeline.post(fixture(name), { signature: signatures.files[name] });
    expect(status).toBe(202);
    const { body, writeKey } = await pipeline.identify(messageId);
    expect(writeKey).toBe("write-key");
    const added = { context: expect.anything(), timestamp: expect.any(String), sentAt: expect.any(String) };
    expect(body).toEqual({ ...expected, ...added, messageId });
  });

  const evaluated = realWebhooks.filter(({ builtin }) => builtin !== undefined);

  it.each(evaluated)(
    "send the traits that Flagsmith's own Segment integration sent: $name",
    async ({ name, body, signature, builtin }) => {
      const before = pipeline.cloud.segment.calls.length;
      const { status } = await pipeline.post(body, { signature });
      expect(status).toBe(202);
      // Entries, because a flag is called __proto__.
      const arrived = () => new Map(pipeline.cloud.segment.calls.slice(before).flatMap((call) => Object.entries(call.traits)));
      const { userId, traits } = name.startsWith("300-stress") ? withSpecialCases(builtin) : { ...builtin };
      const expected = new Map(Object.entries(traits ?? {}));
      await pipeline.until(() => pipeline.cloud.segment.calls.length > before && arrived().size === expected.size);
      expect(arrived()).toEqual(expected);
      expect(pipeline.cloud.segment.calls.at(-1)?.userId).toBe(userId);
    },
  );

  it.each(realWebhooks.filter(({ builtin }) => builtin === undefined))(
    "ignore another event of Flagsmith: $name",
    async ({ body, signature }) => {
      const { status, text } = await pipeline.post(body, { signature });
      expect({ status, ...JSON.parse(text) }).toMatchObject({ status: "ignored" });
    },
  );

  it("deliver a message of release 1.0.0", async () => {
    pipeline.cloud.queue.queue.send(ofRelease1);
    const { body } = await pipeline.identify(ofRelease1.deduplicationId);
    expect(body).toEqual({ ...JSON.parse(ofRelease1.body), sentAt: expect.any(String) });
  });

  it("write nothing but log entries", () => {
    for (const line of hosts.output().trim().split("\n")) {
      expect(JSON.parse(line)).toMatchObject({ event: expect.stringMatching(/^(accepted|ignored|delivered)$/) });
    }
  });
});

describe.each([
  ["receive", 120, ["@aws-lambda-powertools", "@aws/lambda-invoke-store", "@smithy"]],
  ["deliver", 700, ["@aws-lambda-powertools", "@aws/lambda-invoke-store", "@smithy", "undici"]],
] as const)("the bundle of %s", (functionName, kilobytes, packages) => {
  const { directory, metafile } = bundle(functionName);

  it("contains no other package than the signer, Powertools and, to call Segment, undici", () => {
    const [output] = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint !== undefined);
    const held = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    const outside = held.flatMap(([path]) => /node_modules\/(@aws\/[^/]+|[^/]+)/.exec(path)?.[1] ?? []);
    expect([...new Set(outside)].sort()).toEqual(packages);
    expect(statSync(join(directory, "index.js")).size).toBeLessThan(kilobytes * 1024);
  });

  it("has a source map with relative paths and without sources, so that its hash is the same on every machine", () => {
    const map = JSON.parse(readFileSync(join(directory, "index.js.map"), "utf8"));
    expect(map.sources).toContain(`../../../lambda/${functionName}.lambda.ts`);
    expect(map.sourcesContent).toBeUndefined();
  });

  it("logs one entry if its configuration is not what the stack writes", async () => {
    const host = new BundleHost(functionName, { CONFIG: "{" });
    const thrown = await host.invoke({ Records: [] }).catch(String);
    await host.stop();
    expect(thrown).toMatch(/ConfigurationError: .*\n.*CONFIG: not what the stack writes/);
    expect(host.entries).toMatchObject([{ level: "ERROR", event: "misconfigured", code: "configuration" }]);
  });
});

describe("the app", () => {
  it("deploys the bundles", () => {
    const { status, output, directory } = synthesize({ production: {} });
    expect({ status, output }).toMatchObject({ status: 0 });
    const assets = readdirSync(directory).filter((name) => name.startsWith("asset."));
    const deployed = assets.map((name) => readFileSync(join(directory, name, "index.js"), "utf8"));
    rmSync(directory, { recursive: true });
    const bundles = ["receive", "deliver"].map((name) => readFileSync(join(FUNCTIONS, name, "index.js"), "utf8"));
    expect(deployed.sort()).toEqual(bundles.sort());
  });

  it("says what is allowed if cdk.json is wrong, without a stack trace", () => {
    const { status, output, directory } = synthesize({ production: { segmentRegion: "mars", flagz: true } });
    rmSync(directory, { recursive: true });
    expect(status).toBe(1);
    expect(output).toContain('environments.production.segmentRegion: allowed is "us" or "eu"');
    expect(output).toContain("environments.production.flagz: ");
    expect(output).not.toMatch(/^\s+at /m);
  });
});
