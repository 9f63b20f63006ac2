import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LIBRARY } from "../../lambda/contract";

interface LockEntry {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly inBundle?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly os?: readonly string[];
}

const ROOT = join(__dirname, "../..");
const { packages }: { readonly packages: Readonly<Record<string, LockEntry>> } = JSON.parse(
  readFileSync(join(ROOT, "package-lock.json"), "utf8"),
);
const locked = Object.entries(packages)
  .filter(([path]) => path !== "")
  .map(([path, entry]) => ({ name: path.replace(/^.*node_modules\//, ""), ...entry }));
const shipped = locked.filter(({ dev }) => dev !== true);

const inWords = (count: number) => ["no", "one", "two", "three", "four", "five"][count] ?? String(count);

describe("the supply chain", () => {
  it("pins every package by its hash, but for builds of development tools for other platforms", () => {
    const unpinned = locked.filter(({ integrity, inBundle }) => integrity === undefined && inBundle !== true);
    const foreign = unpinned.filter((each) => each.dev && each.optional && each.os !== undefined);
    expect(unpinned).toEqual(foreign);
  });

  it("runs no install script of what is shipped, nor lets that of any other run", () => {
    expect(shipped.filter(({ hasInstallScript }) => hasInstallScript)).toEqual([]);
    const { allowScripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const scripted = locked.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name);
    expect(allowScripts).toEqual(Object.fromEntries(scripted.map((name) => [name, false])));
  });

  it("tells Segment the version that is shipped", () => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(LIBRARY).toEqual({ name, version });
  });

  it("ships what the README lists, with its licence", () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const [, table = ""] = /\| shipped package \| licence \|\n\|---\|---\|\n(.*?)\n\n/s.exec(readme) ?? [];
    expect(table.split("\n")).toEqual(shipped.map(({ name, license }) => `| ${name} | ${license} |`));
    expect(readme).toContain(`| a package gone bad | ${inWords(shipped.length)} packages are shipped`);
    expect(locked.filter(({ license }) => license?.includes("AGPL"))).toEqual([]);
  });
});
