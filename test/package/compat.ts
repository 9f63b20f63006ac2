import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWith, parseOptions, type Usage } from "../support/usage";
import { CJS_APP, compile, createApp, ESM_APP, pack, ROOT, run, TSCONFIGS, TYPED_APP } from "./consumer";

const USAGE: Usage = {
  call: "npm run compat",
  help: "Installs the package with the lowest and the newest CDK and TypeScript, and tests the log on Node 24, for about 3 minutes",
};

/** The lowest release that the package allows, and the newest. */
const CDKS = ["2.200.0", "latest"];
const TYPESCRIPTS = ["5.4", "5.9", "latest"];
/** This variable is set for the process that does the work. Its folder is removed by the first process. */
const WORKER = "COMPAT_WORKER";

function main(): void {
  parseOptions(USAGE, { options: {} });
  if (process.env[WORKER] === undefined) supervise();
  else {
    installAll();
    logOnNewestNode();
  }
}

/**
 * All folders are below one that is removed at the end, also when a user stops the script. The work waits for its programs and can't
 * handle a signal meanwhile, so it runs in its own process group, which is killed.
 */
function supervise(): void {
  console.error("packs, then installs from the registry: some minutes");
  const folder = mkdtempSync(join(tmpdir(), "compat-"));
  const env = { ...process.env, TMPDIR: folder, [WORKER]: "1" };
  const args = [...process.execArgv, __filename];
  const worker = spawn(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"], detached: true });
  const stop = () => {
    if (worker.pid !== undefined && worker.exitCode === null) process.kill(-worker.pid, "SIGKILL");
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  worker.once("close", (code) => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    process.exitCode = code ?? 1;
  });
}

/** Tests that the log has its entries, whatever variables a function has, on the newest Node.js that Lambda offers. */
function logOnNewestNode(): void {
  run(ROOT, "npx", "--yes", "--package=node@24", "node", "node_modules/jest/bin/jest.js", "test/integration/log-settings");
  console.log("ok    log settings, node 24");
}

/** Installs the package in apps with other releases of CDK and TypeScript. */
function installAll(): void {
  const tarball = pack();
  for (const cdk of CDKS) {
    const app = createApp({ "app.cjs": CJS_APP, "app.mjs": ESM_APP, "app.ts": TYPED_APP, "package.json": "{}", ...TSCONFIGS });
    const add = (...names: readonly string[]) => run(app, "npm", "install", "--silent", "--no-audit", "--no-fund", ...names);
    add(tarball, `aws-cdk-lib@${cdk}`, "constructs@10");
    for (const file of ["app.cjs", "app.mjs"]) {
      const printed = run(app, process.execPath, file);
      console.log(`ok    aws-cdk-lib ${cdk}, ${file}${printed === "" ? "" : `: ${printed}`}`);
    }
    for (const typescript of TYPESCRIPTS) {
      add(`typescript@${typescript}`);
      for (const tsconfig of Object.keys(TSCONFIGS)) {
        compile(app, tsconfig);
        console.log(`ok    aws-cdk-lib ${cdk}, typescript ${typescript}, ${tsconfig}`);
      }
    }
  }
}

try {
  main();
} catch (error) {
  endWith(error);
}
