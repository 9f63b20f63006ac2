import { rmSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { bundle } from "./bundle";

const ROOT = join(__dirname, "..");

/** Rebuilds the package's `dist/`, except the files that `tsc` writes afterwards. */
rmSync(join(ROOT, "dist"), { recursive: true, force: true });
bundle("receive");
bundle("deliver");
buildSync({
  absWorkingDir: ROOT,
  entryPoints: ["infra/cli/index.ts"],
  outfile: join(ROOT, "dist/cli/index.js"),
  bundle: true,
  minify: true,
  // An error's name is that of its class, so minification must keep the names.
  keepNames: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  banner: { js: "#!/usr/bin/env node" },
  logLevel: "error",
});
