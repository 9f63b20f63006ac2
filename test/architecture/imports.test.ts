import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(__dirname, "../..");

/** Layers of lambda/: a file may import its own folder and the layers below. The first row that matches counts. */
const LAYERS: readonly (readonly [folder: RegExp, layer: number])[] = [
  [/^lambda\/[^/]+\.lambda\.ts$/, 4],
  [/^lambda\/wiring\.ts$/, 3],
  [/^lambda\/(receive|deliver)\//, 2],
  [/^lambda\/adapters\//, 1],
  [/^lambda\/[^/]+\.ts$/, 0],
];

const layerOf = (path: string) => LAYERS.find(([folder]) => folder.test(path))?.[1];

interface Import {
  readonly from: string;
  /** A path inside of the project, or the name of a package. */
  readonly to: string;
}

/** Every import and re-export of the files below a folder; of types too, for they tie files together as well. */
function importsBelow(folder: string): readonly Import[] {
  return sourcesBelow(folder).flatMap((path) => {
    const specifiers = textOf(path).matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/gm);
    return [...specifiers].map((match) => ({ from: path, to: resolve(path, match[1] ?? match[2] ?? "") }));
  });
}

const textOf = (path: string) => readFileSync(join(ROOT, path), "utf8");

function sourcesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(folder, path));
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  const path = relative(ROOT, join(ROOT, dirname(from), specifier));
  return path.endsWith(".json") ? path : `${path}.ts`;
}

const lambda = importsBelow("lambda");
const inside = lambda.filter(({ to }) => layerOf(to) !== undefined);

describe("the layers of lambda", () => {
  it("include each file", () => {
    expect(sourcesBelow("lambda").filter((path) => layerOf(path) === undefined)).toEqual([]);
  });

  it("are imported downwards only", () => {
    expect(inside.length).toBeGreaterThan(30);
    expect(inside.filter(({ from, to }) => Number(layerOf(from)) < Number(layerOf(to)))).toEqual([]);
  });

  it("keep receive and deliver apart", () => {
    const sideOf = (path: string) => /^lambda\/(receive|deliver)\//.exec(path)?.[1];
    const sides = inside.map(({ from, to }) => [sideOf(from), sideOf(to)]);
    expect(sides.filter(([from, to]) => from !== undefined && to !== undefined && from !== to)).toEqual([]);
  });

  it("use no clock, no random numbers, no environment and no library in receive and deliver", () => {
    for (const folder of ["lambda/receive", "lambda/deliver"]) {
      for (const path of sourcesBelow(folder)) {
        expect(textOf(path)).not.toMatch(/process\.|Date\.now|new Date\(\)|Math\.random|console\./);
      }
      const outside = lambda.filter(({ from, to }) => from.startsWith(folder) && layerOf(to) === undefined);
      expect(outside.filter(({ to }) => !to.startsWith("node:") && to !== "aws-lambda")).toEqual([]);
    }
  });

  it("share only some files with infra, and import nothing from infra and test", () => {
    const shared = ["config", "errors", "json", "names", "options", "timing"].map((name) => `lambda/${name}.ts`);
    const ofCommands = ["identify-call", "receive/signature"].map((name) => `lambda/${name}.ts`);
    const strange = importsBelow("infra").filter(({ from, to }) => {
      const allowed = from.startsWith("infra/cli/") ? [...shared, ...ofCommands] : shared;
      return to.startsWith("lambda/") && !allowed.includes(to);
    });
    expect(strange).toEqual([]);
    expect(lambda.filter(({ to }) => /^(infra|test)\//.test(to))).toEqual([]);
  });
});

describe("the entry points", () => {
  it.each(["receive", "deliver"])("of %s exports a handler, nothing else", (name) => {
    const text = textOf(`lambda/${name}.lambda.ts`);
    expect(text).toMatch(/^import \{ \w+ \} from "\.\/wiring";\n\nexport const handler = \w+\(process\.env\);\n$/);
  });
});
