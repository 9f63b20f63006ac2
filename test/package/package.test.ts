import { readFileSync } from "node:fs";
import { join } from "node:path";
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

let tarball: string;
beforeAll(() => {
  tarball = pack();
});

describe("the package, installed in an empty app,", () => {
  it.each([
    ["CommonJS, by npm", "app.cjs", CJS_APP, "npm"],
    ["ESM, by pnpm", "app.mjs", ESM_APP, "pnpm"],
  ] as const)("synthesizes two pipelines in one stack without a warning: %s", (_, file, text, layout) => {
    const app = createApp({ [file]: text });
    install(app, tarball, layout);
    expect(run(app, process.execPath, file)).toBe("");
    const types = typesOf(readFileSync(join(app, "cdk.out/Own.template.json"), "utf8"));
    expect(types.filter((type) => type === "AWS::Lambda::Function")).toHaveLength(4);
    expect(types.filter((type) => type === "AWS::CloudWatch::Dashboard")).toHaveLength(2);
    const assets = filesBelow(join(app, "cdk.out")).filter((name) => name.endsWith(".js") || name.endsWith(".map"));
    expect(assets.map((name) => name.split("/").at(-1)).sort()).toEqual([
      "index.js",
      "index.js",
      "index.js.map",
      "index.js.map",
    ]);
  });

  it("compiles with strict options", () => {
    const app = createApp({ "app.ts": TYPED_APP, "package.json": "{}", ...TSCONFIGS });
    install(app, tarball, "npm", ["typescript"]);
    for (const name of Object.keys(TSCONFIGS)) expect(() => compile(app, name)).not.toThrow();
  });

  it("has the commands, and no tests or sources", () => {
    const app = createApp({});
    install(app, tarball, "npm");
    const home = join(app, "node_modules/flagsmith-to-segment");
    expect(run(app, process.execPath, join(home, "dist/cli/index.js"), "--help")).toMatch(/^usage: flagsmith-to-segment/);
    const strange = filesBelow(home).filter((name) => /\.ts$|test|node_modules|cdk\.json/.test(name.replace(/\.d\.ts$/, "")));
    expect(strange).toEqual([]);
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(home, "dist/functions/receive/index.js.map"), "utf8"));
    expect(sources.filter((path: string) => path.startsWith("/"))).toEqual([]);
    expect(sourcesContent ?? []).toEqual([]);
  });
});
