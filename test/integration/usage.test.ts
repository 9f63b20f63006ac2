import { spawnSync } from "node:child_process";
import { join } from "node:path";

describe("a script that is called in a way it does not know", () => {
  it.each([
    ["bench", "bench/main.ts"],
    ["faults", "faults/main.ts"],
    ["fuzz", "fuzz/main.ts"],
  ])("says how, npm run %s", (name, script) => {
    const path = join(__dirname, "..", script);
    const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", path, "--nonsense"], { encoding: "utf8" });
    const [complaint, usage, ...others] = stderr.trimEnd().split("\n");
    expect(complaint).toMatch(/^Unknown option '--nonsense'/);
    expect(usage).toContain(`usage: npm run ${name} -- `);
    expect(others).toEqual([]);
    expect(status).toBe(1);
  });
});
