import { rmSync } from "node:fs";
import { tmpdir } from "node:os";

/** Jest's global teardown: removes the folder that the setup created. */
export default function removeTemporaryFolder(): void {
  if (!/[/\\]flagsmith-to-segment-\w+$/.test(tmpdir())) throw new Error(`${tmpdir()} is not the folder of the setup`);
  rmSync(tmpdir(), { recursive: true, force: true });
}
