import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(__dirname, "../..");

/** The floors of the house: a file may import its own floor and those below. The first row that matches counts. */
const FLOORS: readonly (readonly [RegExp, number])[] = [
  [/^lambda\/domain\//, 0],
  [/^lambda\/(contract|options|option-rules|option-environment|timing)\.ts$/, 0],
  [/^package\.json$/, 0],
  [/^lambda\/adapters\//, 1],
  [/^lambda\/(config|telemetry|log-line|runtime)\.ts$/, 1],
  [/^lambda\/handlers\//, 2],
  [/^lambda\/[^/]+\.lambda\.ts$/, 3],
];

const floorOf = (path: string) => FLOORS.find(([pattern]) => pattern.test(path))?.[1];

interface Import {
  readonly from: string;
  /** A path inside of the project, or the name of a package. */
  readonly to: string;
}

/** Every import and re-export of the files below a folder; of types too, for they tie files together as well. */
function importsBelow(folder: string): readonly Import[] {
  return sourcesBelow(folder).flatMap((path) => {
    const source = readFileSync(join(ROOT, path), "utf8");
    const specifiers = source.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/gm);
    return [...specifiers].map((match) => ({ from: path, to: resolve(path, match[1] ?? match[2] ?? "") }));
  });
}

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
const inside = lambda.filter(({ to }) => to.includes("/") && floorOf(to) !== undefined);

describe("the floors", () => {
  it("have a place for every file of lambda", () => {
    expect(sourcesBelow("lambda").filter((path) => floorOf(path) === undefined)).toEqual([]);
  });

  it("are imported downwards only", () => {
    expect(inside.length).toBeGreaterThan(30);
    expect(inside.filter(({ from, to }) => Number(floorOf(from)) < Number(floorOf(to)))).toEqual([]);
  });

  it("keep the domain free of everything but pure parts of Node.js", () => {
    const domain = lambda.filter(({ from }) => from.startsWith("lambda/domain/"));
    const outside = domain.map(({ to }) => to).filter((to) => floorOf(to) === undefined);
    expect(new Set(outside)).toEqual(new Set(["node:buffer", "node:crypto"]));
    for (const path of sourcesBelow("lambda/domain")) {
      expect(readFileSync(join(ROOT, path), "utf8")).not.toMatch(
        /process\.|Date\.now|new Date\(\)|Math\.random|console\./,
      );
    }
  });

  it("keep the clock, the environment and every SDK out of the handlers", () => {
    for (const path of sourcesBelow("lambda/handlers")) {
      expect(readFileSync(join(ROOT, path), "utf8")).not.toMatch(
        /process\.|Date\.now|new Date\(\)|Math\.random|console\./,
      );
    }
    const packages = lambda.filter(
      ({ from, to }) => from.startsWith("lambda/handlers/") && floorOf(to) === undefined,
    );
    expect(new Set(packages.map(({ to }) => to))).toEqual(new Set(["aws-lambda"]));
  });

  it("keep infra to the contract, and lambda away from infra and tests", () => {
    const local = importsBelow("infra").filter(({ to }) => to.startsWith("lambda/"));
    expect(new Set(local.map(({ to }) => to))).toEqual(new Set(["lambda/contract.ts"]));
    expect(lambda.filter(({ to }) => /^(infra|test)\//.test(to))).toEqual([]);
  });
});

describe("the entry points", () => {
  it.each(["lambda/receive.lambda.ts", "lambda/deliver.lambda.ts"])(
    "%s is wiring, without a branch",
    (path) => {
      expect(readFileSync(join(ROOT, path), "utf8")).not.toMatch(/\b(if|switch|for|while)\b|\?[^.]/);
    },
  );
});

describe("the packages", () => {
  it("in the functions are the declared dependencies", () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const used = lambda
      .map(({ to }) => to)
      .filter((to) => floorOf(to) === undefined && !to.startsWith("node:"));
    // Types only.
    const typed = ["aws-lambda"];
    expect(new Set(used)).toEqual(new Set([...Object.keys(dependencies), ...typed]));
  });
});
