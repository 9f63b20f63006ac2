export type LogLine = Readonly<Record<string, unknown>>;

export interface Capture {
  /** Everything that was written. */
  text(): string;
  /** What is JSON of it. */
  lines(): readonly LogLine[];
  /** Forgets what was written so far. */
  clear(): void;
  /** Gives the terminal back. */
  end(): void;
}

/** What goes to both streams, kept from the terminal. `passes`: what goes there all the same. */
export function captureOutput(passes: (text: string) => boolean = () => false): Capture {
  let chunks: string[] = [];
  const streams = [process.stdout, process.stderr];
  const originals = streams.map((stream) => stream.write);
  for (const stream of streams) {
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...rest: never[]) => {
      if (passes(String(chunk))) return write(chunk, ...rest);
      chunks.push(String(chunk));
      return true;
    };
  }
  const text = () => chunks.join("");
  return {
    text,
    lines: () =>
      text()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    clear: () => {
      chunks = [];
    },
    end: () => {
      for (const [index, stream] of streams.entries()) stream.write = originals[index] ?? stream.write;
    },
  };
}
