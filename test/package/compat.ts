import { CJS_APP, compile, createApp, ESM_APP, pack, run, TSCONFIGS, TYPED_APP } from "./consumer";

/** The lowest release that the package allows, and the newest. */
const CDKS = ["2.200.0", "latest"];
const TYPESCRIPTS = ["5.4", "5.9", "latest"];

/** The package in apps with other releases of CDK and TypeScript, from the registry. */
function main(): void {
  console.error("packs, then installs from the registry: some minutes");
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

main();
