import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import fc from "fast-check";
import { AnswerReader } from "../../lambda/adapters/http-answer";
import { describeProperties } from "../support/seed";

const status = fc.constantFrom(200, 201, 400, 403, 404, 429, 500, 503);
const body = fc.string({ unit: "grapheme", maxLength: 60 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 8 });
const headers = fc.subarray([
  "Date: Tue, 24 Nov 2026 00:00:00 GMT",
  "x-amzn-RequestId: 0f1e",
  "Content-Type: application/x-amz-json-1.0",
  "connection: keep-alive",
  "Empty:",
]);

/** Cut at the given sizes; the last piece is the rest. */
function cut(bytes: Buffer, at: readonly number[]): readonly Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const size of at) {
    if (from + size >= bytes.length) break;
    pieces.push(bytes.subarray(from, from + size));
    from += size;
  }
  return [...pieces, bytes.subarray(from)];
}

function mapOf(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.map((line) => {
      const [name = "", ...value] = line.split(":");
      return [name.toLowerCase(), value.join(":").trim()];
    }),
  );
}

const framed = fc
  .record({ status, body, headers, sizes, framing: fc.constantFrom("length", "chunked", "close") })
  .map(({ framing, sizes: chunkSizes, ...answer }) => {
    const payload = Buffer.from(answer.body);
    const chunks = payload.length === 0 ? [] : cut(payload, chunkSizes);
    const [header, content] =
      framing === "length"
        ? [[`Content-Length: ${payload.length}`], [payload]]
        : framing === "close"
          ? [[], [payload]]
          : [
              ["Transfer-Encoding: chunked"],
              [
                ...chunks.flatMap((chunk) => [
                  Buffer.from(`${chunk.length.toString(16)}\r\n`),
                  chunk,
                  Buffer.from("\r\n"),
                ]),
                Buffer.from("0\r\n\r\n"),
              ],
            ];
    const lines = [...answer.headers, ...header];
    const head = [`HTTP/1.1 ${answer.status} X`, ...lines, "", ""].join("\r\n");
    return { ...answer, framing, lines, bytes: Buffer.concat([Buffer.from(head), ...content]) };
  });

describeProperties("AnswerReader", () => {
  it("reads an answer whatever the pieces it comes in, and not before it is whole", () => {
    fc.assert(
      fc.property(framed, fc.array(fc.integer({ min: 1, max: 40 })), (answer, at) => {
        const reader = new AnswerReader();
        const pieces = cut(answer.bytes, at);
        // One buffer for all of them, as a socket has it.
        const buffer = Buffer.alloc(answer.bytes.length);
        const answers = pieces.map((piece) => {
          piece.copy(buffer.fill("x"));
          return reader.push(buffer.subarray(0, piece.length));
        });
        const expected = { status: answer.status, text: answer.body, headers: mapOf(answer.lines) };
        expect(answers.slice(0, -1).every((early) => early === undefined)).toBe(true);
        expect(answers.at(-1) ?? reader.end()).toEqual(expected);
        expect(reader.head?.keepAlive).toBe(answer.framing !== "close");
      }),
    );
  });
});

describeProperties("AnswerReader beside node:http", () => {
  let server: Server;
  let toSend: Buffer;

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => socket.end(toSend));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  /** undefined = refused, or not whole. */
  function ours(bytes: Buffer) {
    const reader = new AnswerReader();
    try {
      const answer = reader.push(bytes) ?? reader.end();
      return answer && { status: answer.status, text: answer.text };
    } catch {
      return undefined;
    }
  }

  function theirs(bytes: Buffer): Promise<unknown> {
    toSend = bytes;
    const { port } = server.address() as AddressInfo;
    return new Promise((resolve) => {
      const outgoing = request({ host: "127.0.0.1", port, method: "POST", agent: false });
      outgoing.on("error", () => resolve(undefined)).on("upgrade", () => resolve(undefined));
      outgoing.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk)).on("error", () => resolve(undefined));
        response.on("end", () =>
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      outgoing.end("{}");
    });
  }

  it("takes nothing that node:http refuses or reads otherwise, when bytes are changed, lost or put in", async () => {
    const change = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("flip", "drop", "insert"),
      byte: fc.integer({ min: 0, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(
        framed,
        fc.array(change, { minLength: 1, maxLength: 2 }),
        async ({ bytes }, changes) => {
          const mutated = changes.reduce((before, { at, kind, byte }) => {
            const index = at % before.length;
            const rest = before.subarray(kind === "insert" ? index : index + 1);
            return Buffer.concat([
              before.subarray(0, index),
              Buffer.from(kind === "drop" ? [] : [byte]),
              rest,
            ]);
          }, bytes);
          const answer = ours(mutated);
          if (answer !== undefined) expect(await theirs(mutated)).toEqual(answer);
        },
      ),
      { numRuns: 300 },
    );
  });
});
