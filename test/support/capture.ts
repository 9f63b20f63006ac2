import type { LogLine } from "../cloud/control-plane-logs";

export interface Capture {
  /** Everything that was written. */
  text(): string;
  /** The lines that are JSON. */
  lines(): readonly LogLine[];
  /** Forgets what was written so far. */
  clear(): void;
  /** Ends the capture. */
  end(): void;
}

/** Returns true if the text must not reach the terminal. */
type Keeper = (text: string) => boolean;

/** One keeper per capture that has not ended. Captures may overlap and end in any order. Each one gets everything that is written meanwhile. */
const keepers = new Set<Keeper>();
let giveBack: (() => void) | undefined;

/**
 * Captures what is written to both streams, and keeps it from the terminal. A text for which `passes` returns true is not captured. It
 * reaches the terminal unless another capture keeps it.
 */
export function captureOutput(passes: (text: string) => boolean = () => false): Capture {
  let written = "";
  let lines: LogLine[] = [];
  /** How much of the text has already been parsed. */
  let parsedLength = 0;
  const keeper: Keeper = (text) => {
    if (passes(text)) return false;
    written += text;
    return true;
  };
  keepers.add(keeper);
  giveBack ??= interceptStreams();
  return {
    text: () => written,
    lines: () => {
      const end = written.lastIndexOf("\n") + 1;
      const added = written.slice(parsedLength, end).split("\n");
      lines = [...lines, ...added.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))];
      parsedLength = end;
      return lines;
    },
    clear: () => {
      written = "";
      lines = [];
      parsedLength = 0;
    },
    end: () => {
      keepers.delete(keeper);
      if (keepers.size > 0) return;
      giveBack?.();
      giveBack = undefined;
    },
  };
}

function interceptStreams(): () => void {
  const streams = [process.stdout, process.stderr];
  const originals = streams.map(({ write }) => write);
  for (const stream of streams) {
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...rest: never[]) => {
      const kept = [...keepers].filter((keeps) => keeps(String(chunk)));
      return kept.length > 0 || write(chunk, ...rest);
    };
  }
  return () => {
    for (const [index, stream] of streams.entries()) stream.write = originals[index] ?? stream.write;
  };
}
