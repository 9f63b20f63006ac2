import { interceptEntries, type LogEntry, type Output } from "./entries";

function streamOf(written: string[]): Output {
  return {
    write: (chunk: string | Uint8Array) => {
      written.push(String(chunk));
      return true;
    },
  };
}

describe("the interceptor of log entries", () => {
  it("takes the functions' entries out of both streams, and lets all else pass", () => {
    const [out, err]: [string[], string[]] = [[], []];
    const streams = [streamOf(out), streamOf(err)] as const;
    const seen: LogEntry[] = [];
    const entries = interceptEntries(streams, (entry) => seen.push(entry));
    streams[0].write('{"service":"receive","event":"accepted"}\n');
    streams[0].write("ready\n");
    streams[1].write('{"service":"deliver","event":"dead-lettered"}\n');
    streams[1].write('{"not":"an entry"}\n');
    streams[1].write("{ neither");
    expect(seen.map(({ event }) => event)).toEqual(["accepted", "dead-lettered"]);
    expect(entries()).toEqual(seen);
    expect([out, err]).toEqual([["ready\n"], ['{"not":"an entry"}\n', "{ neither"]]);
  });

  it("keeps the latest 10,000", () => {
    const stream = streamOf([]);
    const entries = interceptEntries([stream], () => {});
    for (let index = 0; index <= 10_000; index++) stream.write(JSON.stringify({ service: "deliver", index }));
    expect(entries()).toHaveLength(10_000);
    expect(entries()[0]).toEqual({ service: "deliver", index: 1 });
  });
});
