import { rmSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { bundle } from "./bundle";

const ROOT = join(__dirname, "..");

/** Makes the package's `dist/` again, but for what `tsc` writes after this. */
rmSync(join(ROOT, "dist"), { recursive: true, force: true });
bundle("receive");
bundle("deliver");
buildSync({
  absWorkingDir: ROOT,
  entryPoints: ["infra/cli/index.ts"],
  outfile: join(ROOT, "dist/cli/index.js"),
  bundle: true,
  minify: true,
  // Names of classes are names of errors.
  keepNames: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  banner: { js: "#!/usr/bin/env node" },
  logLevel: "error",
});
