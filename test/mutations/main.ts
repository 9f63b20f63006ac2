import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWith, parseOptions, type Usage } from "../support/usage";
import { MUTATIONS, type Mutation } from "./mutations";

const ROOT = join(__dirname, "../..");
const USAGE: Usage = {
  call: "npm run mutations -- [--only 'part of a rule']",
  help: `  --only <text>      the rules with this text alone
Breaks one rule at a time in a copy of the sources for about 30 minutes, and shows which tests notice`,
};
/** How many tests are named for each mutation. */
const NAMED = 3;

/** Breaks one rule at a time in a copy of the sources, and prints which tests notice. Exits with 1 if a mutation goes unnoticed. */
async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, { options: { only: { type: "string", default: "" } } });
  const wanted = MUTATIONS.filter(({ rule }) => rule.includes(values.only));
  const copy = mkdtempSync(join(tmpdir(), "mutations-"));
  process.once("exit", () => rmSync(copy, { recursive: true, force: true }));
  for (const name of [
    "lambda",
    "infra",
    "test",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "cdk.json",
    "README.md",
  ]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const before = failuresOf(copy, [...new Set(wanted.flatMap(({ tests }) => tests))]);
  if (before.length > 0) throw new Error(`these fail without any mutation: ${before.join("; ")}`);
  console.error(`${wanted.length} mutations; about ${Math.ceil(wanted.length / 6)} minutes`);
  let unnoticed = 0;
  for (const [index, mutation] of wanted.entries()) {
    const failed = failuresWith(copy, mutation);
    if (failed.length === 0) unnoticed++;
    const shown = failed.slice(0, NAMED).join("; ");
    const more = failed.length > NAMED ? `; and ${failed.length - NAMED} more` : "";
    console.log(`${index + 1}/${wanted.length} ${mutation.rule}: ${failed.length === 0 ? "NOT NOTICED" : shown + more}`);
  }
  console.log(unnoticed === 0 ? "every mutation is noticed" : `${unnoticed} mutations go unnoticed`);
  if (unnoticed > 0) process.exitCode = 1;
}

/** Returns the names of the tests that fail with the mutation. */
function failuresWith(copy: string, { file, find, replace, tests }: Mutation): readonly string[] {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  try {
    // A slower folder runs only if the faster ones did not notice the mutation.
    for (const folder of tests) {
      const failed = failuresOf(copy, [folder]);
      if (failed.length > 0) return failed;
    }
    return [];
  } finally {
    writeFileSync(path, source);
  }
}

/** Runs the tests in these folders. Returns the names of those that fail. */
function failuresOf(copy: string, folders: readonly string[]): readonly string[] {
  const args = [join(ROOT, "node_modules/jest/bin/jest.js"), "--json", "--silent", ...folders];
  const env = { ...process.env, RUNS: "200" };
  const { stdout } = spawnSync(process.execPath, args, { cwd: copy, env, encoding: "utf8", maxBuffer: 2 ** 28 });
  return namesOf(JSON.parse(stdout));
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** Returns the names of failed tests. A file that can't be loaded counts by its own name. */
function namesOf({ testResults }: Report): readonly string[] {
  return testResults.flatMap(({ name, status, assertionResults }) => {
    const failed = assertionResults.filter((each) => each.status === "failed").map(({ fullName }) => fullName);
    return failed.length === 0 && status === "failed" ? [name] : failed;
  });
}

main().catch(endWith);
