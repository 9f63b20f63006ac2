import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Jest's global setup: what the tests write, mostly CDK's assemblies, goes into one folder. The teardown removes it. */
export default function createTemporaryFolder(): void {
  process.env.TMPDIR = mkdtempSync(join(tmpdir(), "flagsmith-to-segment-"));
  // CDK throws its whole report only if NODE_ENV is "test". A shell may have set another value.
  process.env.NODE_ENV = "test";
  // test/local/deployment.ts shares synthesized stacks in this folder.
  process.env.SYNTHESIZED = process.env.TMPDIR;
}
