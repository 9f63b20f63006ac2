import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  CJS_APP,
  compile,
  createApp,
  ESM_APP,
  filesBelow,
  install,
  pack,
  run,
  TSCONFIGS,
  TYPED_APP,
  typesOf,
} from "./consumer";

/** The declarations that an app can see: those of the constructs, and those that they refer to. */
const DECLARATIONS = [
  "infra/environment-name.d.ts",
  "infra/flagsmith-to-segment.d.ts",
  "infra/index.d.ts",
  "infra/monitoring/alarms.d.ts",
  "infra/monitoring/dashboard.d.ts",
  "infra/monitoring/deliver-alarms.d.ts",
  "infra/monitoring/metrics.d.ts",
  "infra/monitoring/monitoring.d.ts",
  "infra/monitoring/queries.d.ts",
  "infra/monitoring/receive-alarms.d.ts",
  "infra/name.d.ts",
  "infra/option-checks.d.ts",
  "infra/option-rules.d.ts",
  "infra/overrides.d.ts",
  "infra/pipeline-function.d.ts",
  "infra/storage.d.ts",
  "infra/webhook-api.d.ts",
  "lambda/config.d.ts",
  "lambda/errors.d.ts",
  "lambda/json.d.ts",
  "lambda/names.d.ts",
  "lambda/options.d.ts",
  "lambda/timing.d.ts",
];

let tarball: string;
/** An app's installed package. */
let home: string;
beforeAll(() => {
  tarball = pack();
  const app = createApp({});
  install(app, tarball, "npm");
  home = join(app, "node_modules/flagsmith-to-segment");
});

describe("the package, installed in an empty app,", () => {
  it.each([
    ["CommonJS, by npm", "app.cjs", CJS_APP, "npm"],
    ["ESM, by pnpm", "app.mjs", ESM_APP, "pnpm"],
  ] as const)("synthesizes two pipelines, with assets that everyone may read under any umask: %s", (_, file, text, layout) => {
    const umask = process.umask(0o077);
    try {
      const app = createApp({ [file]: text });
      install(app, tarball, layout);
      expect(run(app, process.execPath, file)).toBe("");
      const types = typesOf(readFileSync(join(app, "cdk.out/Own.template.json"), "utf8"));
      expect(types.filter((type) => type === "AWS::Lambda::Function")).toHaveLength(4);
      expect(types.filter((type) => type === "AWS::CloudWatch::Dashboard")).toHaveLength(2);
      const assets = filesBelow(join(app, "cdk.out")).filter((name) => /index\.js(\.map)?$/.test(name));
      expect(assets).toHaveLength(4);
      for (const name of assets) expect(statSync(join(app, "cdk.out", name)).mode & 0o777).toBe(0o644);
    } finally {
      process.umask(umask);
    }
  });

  it("compiles with strict options", () => {
    const app = createApp({ "app.ts": TYPED_APP, "package.json": "{}", ...TSCONFIGS });
    install(app, tarball, "npm", ["typescript"]);
    for (const name of Object.keys(TSCONFIGS)) expect(() => compile(app, name)).not.toThrow();
  });

  it("has these declarations, and no other", () => {
    const declarations = filesBelow(join(home, "dist")).filter((name) => name.endsWith(".d.ts"));
    expect(declarations.sort()).toEqual(DECLARATIONS);
  });

  it("has the commands, and no tests or sources", () => {
    expect(run(home, process.execPath, "dist/cli/index.js", "--help")).toMatch(/^usage: flagsmith-to-segment/);
    const strange = filesBelow(home).filter((name) =>
      /\.ts$|test\/.*\.(?!md$)|node_modules|cdk\.json/.test(name.replace(/\.d\.ts$/, "")),
    );
    expect(strange).toEqual([]);
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(home, "dist/functions/receive/index.js.map"), "utf8"));
    expect(sources.filter((path: string) => path.startsWith("/"))).toEqual([]);
    expect(sourcesContent ?? []).toEqual([]);
  });

  it("has the target of each relative link in its documents", () => {
    const documents = filesBelow(home).filter((name) => name.endsWith(".md"));
    expect(documents.length).toBeGreaterThan(6);
    const dead = documents.flatMap((name) => {
      const links = readFileSync(join(home, name), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g);
      return [...links].map(([, path = ""]) => join(dirname(name), path)).filter((path) => !existsSync(join(home, path)));
    });
    expect(dead).toEqual([]);
  });

  it("says how to build it, where it was not built", () => {
    const app = createApp({ "app.cjs": CJS_APP });
    install(app, tarball, "npm");
    rmSync(join(app, "node_modules/flagsmith-to-segment/dist/infra"), { recursive: true });
    expect(() => run(app, process.execPath, "app.cjs")).toThrow(/is not built: run "npm ci && npm pack" there/);
  });
});
