import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { synthEnvironment } from "../support/bundles";

const ROOT = join(__dirname, "../..");

/** The README's lines in a stack of somebody else's app. */
function ownApp(): string {
  const [, snippet = ""] = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, "README.md"), "utf8")) ?? [];
  const [imports, statements] = snippet.split("\n\n");
  return `import { App, CfnOutput, Stack } from "aws-cdk-lib";
${imports}
class Own extends Stack {
  constructor(app: App) {
    super(app, "Own");
    ${statements}
  }
}
new Own(new App());
`;
}

describe("an app of one's own", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "own-app-"));
    for (const folder of ["infra", "lambda"])
      cpSync(join(ROOT, folder), join(directory, folder), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
    writeFileSync(join(directory, "package.json"), '{ "name": "own", "private": true }');
    writeFileSync(join(directory, "package-lock.json"), '{ "lockfileVersion": 3, "packages": {} }');
    writeFileSync(join(directory, "app.ts"), ownApp());
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("synthesizes with the two folders and the README's lines", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import", pathToFileURL(require.resolve("tsx")).href, "app.ts"],
      {
        cwd: directory,
        env: { ...synthEnvironment(), CDK_OUTDIR: join(directory, "cdk.out") },
        encoding: "utf8",
      },
    );
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    const template = JSON.parse(readFileSync(join(directory, "cdk.out/Own.template.json"), "utf8"));
    const types = Object.values(template.Resources).map((resource) => Object(resource).Type);
    expect(types.filter((type) => type === "AWS::Lambda::Function")).toHaveLength(2);
    expect(types).toContain("AWS::CloudWatch::Dashboard");
    expect(Object.keys(template.Outputs)).toEqual(["WebhookUrl"]);
  });
});
