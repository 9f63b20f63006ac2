import type { Keys } from "./keys";
import type { LocalCloud } from "./local-cloud";
import type { Say } from "./start";
import type { View } from "./view";

export interface Run {
  readonly stop: () => void;
  /** Aborted when the run ends. */
  readonly stopping: AbortSignal;
  keys: Keys | undefined;
}

/** Handles each way in which the run can end. It prints the summary and restores the terminal. */
export function endings(cloud: LocalCloud, view: View, say: Say): Run {
  const ending = new AbortController();
  const stop = () => {
    // Stopping waits for calls that are slow. A second Ctrl-C ends the process immediately.
    if (ending.signal.aborted) process.exit(130);
    ending.abort();
    void end(cloud, view, say).then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  const run: Run = { stop, stopping: ending.signal, keys: undefined };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  process.on("SIGCONT", () => run.keys?.resume());
  process.on("exit", () => run.keys?.restore());
  onOrphaned(stop);
  return run;
}

/** Calls that still wait are lost with this process, so the summary counts them. */
async function end(cloud: LocalCloud, view: View, say: Say): Promise<void> {
  await cloud.stop();
  const { queue, deadLetterQueue } = cloud;
  say(view.summary.text({ queue: queue.queue.size, deadLetters: deadLetterQueue.queue.size }));
}

/** A signal that is sent to npm alone ends npm and its shell, but does not reach this process. So the parent's id is watched. */
function onOrphaned(act: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, 250);
}
