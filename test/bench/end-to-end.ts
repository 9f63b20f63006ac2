import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Bench } from "./bench";

/** One round through the whole local cloud. */
export interface EndToEnd {
  /** Events per second, from the first POST to the last call at Segment. */
  readonly rate: number;
  /** Milliseconds from POST to Segment. */
  readonly p50: number;
  readonly p99: number;
}

/** Runs the rounds of `end-to-end-child.ts` in their own process under Node.js 24. @throws Error if an event did not arrive. */
export async function endToEnd({ node, bundles }: Bench): Promise<readonly EndToEnd[]> {
  const child = fork(join(__dirname, "end-to-end-child.ts"), [bundles.receive, bundles.deliver], {
    execPath: node,
    execArgv: ["--import", pathToFileURL(require.resolve("tsx")).href],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  child.stdout?.resume();
  let rounds: readonly EndToEnd[] | undefined;
  child.on("message", (message: readonly EndToEnd[]) => {
    rounds = message;
  });
  await once(child, "exit");
  if (rounds === undefined) throw new Error("end to end: no figures");
  return rounds;
}
