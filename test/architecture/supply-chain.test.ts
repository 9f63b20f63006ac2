import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LIBRARY } from "../../lambda/library";
import { allowScripts, name, version } from "../../package.json";

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

const lock = readFileSync(join(__dirname, "../../package-lock.json"), "utf8");
const { packages }: { readonly packages: Readonly<Record<string, LockEntry>> } = JSON.parse(lock);
const locked = Object.entries(packages)
  .filter(([path]) => path !== "")
  .map(([path, entry]) => ({ name: path.replace(/^.*node_modules\//, ""), ...entry }));

describe("the supply chain", () => {
  it("pins each package by its hash, except builds of development tools for other platforms", () => {
    const unpinned = locked.filter(({ integrity, inBundle }) => integrity === undefined && inBundle !== true);
    expect(unpinned).toEqual(unpinned.filter((each) => each.dev && each.optional && each.os !== undefined));
  });

  it("runs no install script", () => {
    const scripted = locked.filter(({ hasInstallScript }) => hasInstallScript);
    expect(allowScripts).toEqual(Object.fromEntries(scripted.map((each) => [each.name, false])));
  });

  it("has no package under the AGPL", () => {
    expect(locked.filter(({ license }) => license?.includes("AGPL"))).toEqual([]);
  });

  it("names the released version to Segment", () => {
    expect(LIBRARY).toEqual({ name, version });
  });
});
