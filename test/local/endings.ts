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

/** Every way in which the run ends, with the summary and the terminal as it was. */
export function endings(cloud: LocalCloud, view: View, say: Say): Run {
  const ending = new AbortController();
  const stop = () => {
    // A slow call may hold up the end for a while; the second Ctrl-C does not wait for it.
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

/** What still waits ends with this process. */
async function end(cloud: LocalCloud, view: View, say: Say): Promise<void> {
  await cloud.stop();
  const { queue, deadLetterQueue } = cloud;
  say(view.summary.text({ queue: queue.queue.size, deadLetters: deadLetterQueue.queue.size }));
}

/** A signal to npm alone ends npm and its shell, and does not come through. */
function onOrphaned(act: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, 250);
}
