import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Bundles, cdkSynth, hostBundles, synthesizeBundles } from "../support/bundles";
import { evaluations, fixture, signatures } from "../support/fixtures";
import { type Road, startRoad } from "../support/road";

let bundles: Bundles;

beforeAll(() => {
  bundles = synthesizeBundles();
});
afterAll(() => bundles.remove());

describe("the bundles of cdk synth", () => {
  let hosts: ReturnType<typeof hostBundles>;
  let road: Road;

  beforeAll(async () => {
    road = await startRoad({
      webhookSecret: signatures.secret,
      load: async () => {
        hosts = hostBundles(bundles);
        return hosts;
      },
    });
  });
  afterAll(async () => {
    await road.stop();
    await hosts.stop();
  });

  it.each(evaluations)("bring $name to Segment", async ({ name, expected }) => {
    const { status, messageId } = await road.post(fixture(name), { signature: signatures.files[name] });
    expect(status).toBe(202);
    expect((await road.identify(messageId)).body).toMatchObject(expected);
  });

  it("print nothing but log lines", () => {
    for (const line of hosts.output().trim().split("\n")) {
      expect(JSON.parse(line)).toMatchObject({ event: expect.stringMatching(/^(accepted|delivered)$/) });
    }
  });

  it("hold no AWS SDK, and a source map without the sources", () => {
    for (const directory of [bundles.receive, bundles.deliver]) {
      expect(readFileSync(join(directory, "index.js"), "utf8")).not.toContain("@aws-sdk/");
      const map = JSON.parse(readFileSync(join(directory, "index.js.map"), "utf8"));
      expect(map.sources.length).toBeGreaterThan(0);
      expect(map.sourcesContent).toBeUndefined();
    }
    expect(statSync(join(bundles.receive, "index.js")).size).toBeLessThan(64 * 1024);
  });
});

describe("cdk synth", () => {
  it("says what is allowed when cdk.json is wrong, in a few lines and without a stack", () => {
    const { status, output, directory } = cdkSynth({ production: { segmentRegion: "mars", flagz: true } });
    rmSync(directory, { recursive: true });
    expect(status).toBe(1);
    expect(output).toContain('environments.production.segmentRegion: allowed is "us" or "eu"');
    expect(output).toContain("environments.production.flagz: ");
    expect(output).not.toMatch(/^\s+at /m);
  });
});
