import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Jest's global setup: whatever the tests write, CDK's assemblies for the most part, goes into one folder, which goes at the end. */
export default function createTemporaryFolder(): void {
  process.env.TMPDIR = mkdtempSync(join(tmpdir(), "flagsmith-to-segment-"));
  // CDK throws its whole report in tests only. A shell may have another value.
  process.env.NODE_ENV = "test";
  // See test/local/deployment.ts.
  process.env.SYNTHESIZED = process.env.TMPDIR;
}
