import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { scripts } from "../../package.json";

const ROOT = join(__dirname, "../..");
const { PATH, TMPDIR } = process.env;

function node(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, args, { cwd: ROOT, env: { PATH, TMPDIR, ...env }, encoding: "utf8" });
}

describe("a script that is called with options", () => {
  const files = [
    ["start", "test/local/main.ts"],
    ["faults", "test/faults/main.ts"],
  ] as const;

  it.each(files)("npm run %s says how it is called with --help, and starts nothing", (name, file) => {
    const { status, stdout, stderr } = node(["--import", "tsx", file, "--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^usage: npm (run )?${name}`));
  });

  it.each(files)("npm run %s refuses an option that it does not know, with how it is called", (name, file) => {
    const { status, stdout, stderr } = node(["--import", "tsx", file, "--nonsense"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^Unknown option '--nonsense'\\nusage: npm (run )?${name}.*\\n--help tells more\\n$`));
  });
});

describe("a Node.js that is too old", () => {
  const pretend = (version: string) => {
    const file = join(mkdtempSync(join(tmpdir(), "version-")), "version.cjs");
    writeFileSync(file, `Object.defineProperty(process, "version", { value: "${version}" });`);
    return ["-r", file, "-r", "./infra/node-version.cjs"];
  };

  it.each(["v18.20.8", "v20.18.0"])("%s gets one line, before anything is loaded", (version) => {
    const { status, stdout, stderr } = node([...pretend(version), "--import", "tsx", "test/local/main.ts"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toBe(`Node.js ${version.slice(1)} is too old: this needs 20.18.1 or newer\n`);
  });

  it.each(["v20.18.1", "v22.0.0"])("is not %s", (version) => {
    expect(node([...pretend(version), "-e", "process.exit(7)"]).status).toBe(7);
  });

  it("gets one line from the bundled program as well", () => {
    const outfile = join(mkdtempSync(join(tmpdir(), "bundle-")), "index.js");
    buildSync({ absWorkingDir: ROOT, entryPoints: ["infra/cli/index.ts"], outfile, bundle: true, platform: "node" });
    const [, old = ""] = pretend("v18.20.8");
    const { status, stderr } = node(["-r", old, outfile, "--version"]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "Node.js 18.20.8 is too old: this needs 20.18.1 or newer\n" });
  });

  it("is looked for by every script that runs Node.js", () => {
    const running = Object.entries(scripts).filter(([, script]) => !/^npm (run|pack)/.test(script));
    expect(
      running.filter(
        ([, script]) =>
          !script.startsWith("node -r ./infra/node-version.cjs ") && !script.startsWith("node infra/node-version.cjs && "),
      ),
    ).toEqual([]);
  });
});

describe("npm run doctor --local, of which npm leaves nothing", () => {
  it("says what to type when AWS can't be asked", () => {
    const nothing = { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };
    const command = ["--import", "tsx", "infra/cli/index.ts", "doctor"];
    const { status, stderr } = node(command, { ...nothing, npm_lifecycle_event: "doctor" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^no region: .*\nfor a running npm start, type: npm run doctor -- --local\n$/);
  });
});
