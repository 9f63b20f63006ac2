import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const ROOT = join(__dirname, "../..");
/** Files and folders that `npm pack` reads. */
const SOURCES = [
  "infra",
  "lambda",
  "test/README.md",
  "test/bench/README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "package.json",
  "tsconfig.json",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
  ".npmrc",
];

/** Runs a program and returns what it printed. @throws Error with the output, if the program failed. */
export function run(directory: string, program: string, ...args: readonly string[]): string {
  // A consumer does not have the variables that this machine or npm has set.
  const { PATH, HOME, TMPDIR } = process.env;
  const env = { PATH, HOME, TMPDIR, CDK_OUTDIR: join(directory, "cdk.out"), npm_config_update_notifier: "false" };
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: directory, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status} ${error ?? ""}\n${stdout}${stderr}`);
  return stdout;
}

/** Packs a copy of the sources, because a build empties `dist/`, which other tests may be reading. Returns the path of the tarball. */
export function pack(): string {
  const copy = mkdtempSync(join(tmpdir(), "package-"));
  for (const name of SOURCES) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  link(copy, "node_modules", join(ROOT, "node_modules"));
  const [packed] = JSON.parse(run(copy, "npm", "pack", "--json", "--silent", "--pack-destination", copy));
  return join(copy, packed.filename);
}

/** Creates an app as `cdk init` does, in its own folder outside of the repository. */
export function createApp(files: Readonly<Record<string, string>>): string {
  const app = mkdtempSync(join(tmpdir(), "app-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(app, name), text);
  return app;
}

/**
 * Installs the tarball beside this repository's CDK, without the network.
 * - `npm`: all packages are in one `node_modules`
 * - `pnpm`: the package has its own folder with its peers, and the app has a link to it
 */
export function install(app: string, tarball: string, layout: "npm" | "pnpm", packages: readonly string[] = []): void {
  const store = layout === "npm" ? app : join(app, "node_modules/.pnpm/flagsmith-to-segment");
  const home = join(store, "node_modules/flagsmith-to-segment");
  mkdirSync(home, { recursive: true });
  run(home, "tar", "-xzf", tarball, "--strip-components=1");
  if (layout === "pnpm") link(app, "node_modules/flagsmith-to-segment", home);
  for (const folder of new Set([app, store])) {
    for (const name of ["aws-cdk-lib", "constructs", ...packages]) {
      link(folder, join("node_modules", name), join(ROOT, "node_modules", name));
    }
  }
}

function link(folder: string, name: string, target: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  symlinkSync(target, join(folder, name));
}

/** The README's example, with two pipelines in one stack. */
export const APP_BODY = `
class Own extends Stack {
  constructor(app) {
    super(app, "Own");
    for (const environmentName of ["staging", "production"]) {
      const pipeline = new FlagsmithToSegment(this, environmentName, { environmentName, forward: "changes" });
      new Monitoring(this, environmentName + "-monitoring", { pipeline, alarmEmail: "ops@example.com" });
      new CfnOutput(this, environmentName + "-url", { value: pipeline.webhookUrl });
    }
  }
}
new Own(new App()).node.root.synth();
`;

export const CJS_APP = `const { App, CfnOutput, Stack } = require("aws-cdk-lib");
const { FlagsmithToSegment, Monitoring } = require("flagsmith-to-segment");
${APP_BODY}`;

export const ESM_APP = `import { App, CfnOutput, Stack } from "aws-cdk-lib";
import { FlagsmithToSegment, Monitoring } from "flagsmith-to-segment";
${APP_BODY}`;

export const TYPED_APP = `import { type App, CfnOutput, Stack } from "aws-cdk-lib";
import { FlagsmithToSegment, type FlagsmithToSegmentProps, Monitoring } from "flagsmith-to-segment";

const optional: string | undefined = [][0];
const props: FlagsmithToSegmentProps = { environmentName: "production", segmentEndpoint: optional, throttle: { rateLimit: 10 } };

export class Own extends Stack {
  constructor(app: App) {
    super(app, "Own");
    const pipeline = new FlagsmithToSegment(this, "FlagsmithToSegment", props);
    new Monitoring(this, "Monitoring", { pipeline, alarmEmail: optional });
    new CfnOutput(this, "Url", { value: pipeline.webhookUrl });
    // @ts-expect-error An option of the alarms is Monitoring's.
    new FlagsmithToSegment(this, "Wrong", { environmentName: "staging", alarmEmail: "ops@example.com" });
  }
}
`;

/** Compiler options of a consumer who is as strict as TypeScript allows. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: true,
  types: [],
  noEmit: true,
};

/** How apps resolve modules. `verbatimModuleSyntax` forbids imports in a CommonJS file. */
const MODULES = [
  { ...STRICT, target: "es2020", lib: ["es2020"], module: "preserve", moduleResolution: "bundler" },
  // CDK's own declarations don't compile with exactOptionalPropertyTypes, and need Disposable.
  {
    ...{ ...STRICT, skipLibCheck: false, exactOptionalPropertyTypes: false },
    ...{ target: "es2020", lib: ["es2020", "esnext.disposable"], module: "esnext", moduleResolution: "bundler" },
  },
  { ...STRICT, target: "es2022", lib: ["es2022"], module: "node16", moduleResolution: "node16", verbatimModuleSyntax: false },
];

/** A TypeScript configuration for each of MODULES, by file name. */
export const TSCONFIGS = Object.fromEntries(
  MODULES.map((compilerOptions) => {
    return [`tsconfig.${compilerOptions.module}.json`, JSON.stringify({ compilerOptions, files: ["app.ts"] })];
  }),
);

/** @throws Error with the compiler's messages. */
export function compile(app: string, tsconfig: string): void {
  run(app, process.execPath, "node_modules/typescript/bin/tsc", "--project", tsconfig);
}

/** The type of each resource in a synthesized template. */
export function typesOf(template: string): readonly string[] {
  const { Resources: resources }: { readonly Resources: Readonly<Record<string, { readonly Type: string }>> } =
    JSON.parse(template);
  return Object.values(resources).map(({ Type }) => Type);
}

export const filesBelow = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" });
