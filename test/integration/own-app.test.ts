import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { dependencies } from "../../package.json";
import { synthEnvironment } from "../support/bundles";

const ROOT = join(__dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** What an app has that `cdk init` made, with tsx in place of ts-node. */
const GIVEN = ["aws-cdk-lib", "constructs", "typescript", "@types/node", "tsx"];
const TSCONFIG = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    moduleResolution: "NodeNext",
    lib: ["es2022"],
    types: ["node"],
    strict: true,
    noImplicitReturns: true,
    experimentalDecorators: true,
    strictPropertyInitialization: false,
    skipLibCheck: true,
    noEmit: true,
  },
};

const installed = /`npm install (@aws-lambda-powertools[^`]*)`/.exec(README)?.[1]?.split(" ") ?? [];
const nameOf = (wanted: string) => wanted.replace(/(?<=.)@[\d.]+$/, "");

/** The README's lines in a stack of somebody else's app. */
function ownApp(): string {
  const [, snippet = ""] = /```ts\n(.*?)```/s.exec(README) ?? [];
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

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "own-app-"));
    for (const folder of ["infra", "lambda"])
      cpSync(join(ROOT, folder), join(directory, folder), { recursive: true });
    for (const name of [...GIVEN, ...installed.map(nameOf)]) {
      const link = join(directory, "node_modules", name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(ROOT, "node_modules", name), link);
    }
    writeFileSync(join(directory, "package.json"), '{ "name": "own", "private": true }');
    writeFileSync(join(directory, "package-lock.json"), '{ "lockfileVersion": 3, "packages": {} }');
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(TSCONFIG));
    writeFileSync(join(directory, "app.ts"), ownApp());
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const run = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: directory,
      env: { ...synthEnvironment(), CDK_OUTDIR: join(directory, "cdk.out") },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stdout + stderr);
  };

  it("installs what this one ships, in its version", () => {
    const ours = Object.entries(dependencies).map(([name, version]) => `${name}@${version}`);
    const theirs = installed.slice(0, ours.length);
    expect(ours.map((wanted, index) => wanted.startsWith(`${theirs[index]}.`))).toEqual(ours.map(() => true));
  });

  it("compiles the two folders and the README's lines", () => {
    run("node_modules/typescript/bin/tsc", "--project", ".");
  });

  it("synthesizes them", () => {
    run("--import", "tsx", "app.ts");
    const template = JSON.parse(readFileSync(join(directory, "cdk.out/Own.template.json"), "utf8"));
    const types = Object.values(template.Resources).map((resource) => Object(resource).Type);
    expect(types.filter((type) => type === "AWS::Lambda::Function")).toHaveLength(2);
    expect(types).toContain("AWS::CloudWatch::Dashboard");
    expect(Object.keys(template.Outputs)).toEqual(["WebhookUrl"]);
  });
});
