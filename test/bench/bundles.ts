import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { bundle } from "../../infra/bundle";

export interface BenchBundles {
  readonly receive: string;
  readonly deliver: string;
  readonly sdk: string;
  readonly segmentNode: string;
  remove(): void;
}

/** Builds our bundles as they are deployed. The other variants have the same settings, so that the comparison is fair. */
export function buildBundles(): BenchBundles {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const build = (name: string) => {
    const outfile = join(directory, `${name}.js`);
    buildSync({
      entryPoints: [join(__dirname, "variants", `${name}.ts`)],
      outfile,
      bundle: true,
      minify: true,
      platform: "node",
      format: "cjs",
      mainFields: ["module", "main"],
      target: "node24",
      logLevel: "error",
    });
    return outfile;
  };
  return {
    receive: join(bundle("receive").directory, "index.js"),
    deliver: join(bundle("deliver").directory, "index.js"),
    sdk: build("sdk"),
    segmentNode: build("segment-node"),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

export function kilobytes(file: string): number {
  return statSync(file).size / 1024;
}
