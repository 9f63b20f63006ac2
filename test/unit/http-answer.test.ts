import { AnswerReader, type HttpAnswer } from "../../lambda/adapters/http-answer";
import { HttpProtocolError } from "../../lambda/adapters/http-head";

const bytes = (text: string) => Buffer.from(text, "latin1");
const OK = "HTTP/1.1 200 OK\r\n";

type Answer = Omit<HttpAnswer, "headers">;

function read(text: string): { readonly answer: Answer | undefined; readonly keepAlive: boolean } {
  const reader = new AnswerReader();
  const answer = reader.push(bytes(text)) ?? reader.end();
  return {
    answer: answer && { status: answer.status, text: answer.text },
    keepAlive: reader.head?.keepAlive === true,
  };
}

describe("AnswerReader", () => {
  it.each<[string, string, Answer, boolean]>([
    ["a length", `${OK}Content-Length: 2\r\n\r\n{}`, { status: 200, text: "{}" }, true],
    ["no body", `${OK}content-length:0\r\n\r\n`, { status: 200, text: "" }, true],
    ["no reason phrase", "HTTP/1.1 503 \r\nContent-Length: 1\r\n\r\nx", { status: 503, text: "x" }, true],
    [
      "nothing behind the status",
      "HTTP/1.1 503\r\nContent-Length: 1\r\n\r\nx",
      { status: 503, text: "x" },
      true,
    ],
    [
      "chunks",
      `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nA;n=v\r\n0123456789\r\n0\r\n\r\n`,
      { status: 200, text: "{0123456789" },
      true,
    ],
    [
      "trailers",
      `${OK}Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\nExpires: never\r\n\r\n`,
      { status: 200, text: "x" },
      true,
    ],
    ["the end of the socket", `${OK}Date: now\r\n\r\nall of it`, { status: 200, text: "all of it" }, false],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", { status: 204, text: "" }, true],
    [
      "a hint before it",
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}Content-Length: 1\r\n\r\nx`,
      { status: 200, text: "x" },
      true,
    ],
    [
      "a wish to close",
      `${OK}Connection: Close\r\nContent-Length: 1\r\n\r\nx`,
      { status: 200, text: "x" },
      false,
    ],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", { status: 200, text: "x" }, false],
  ])("takes an answer with %s", (_, text, answer, keepAlive) => {
    expect(read(text)).toEqual({ answer, keepAlive });
  });

  it("gives the headers, names in lower case, what comes twice joined", () => {
    const reader = new AnswerReader();
    reader.push(bytes(`${OK}Retry-After:  7 \r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 9\r\n\r\n`));
    expect(reader.head?.headers).toEqual(
      new Map([
        ["retry-after", "7"],
        ["x-a", "1, 2"],
        ["content-length", "9"],
      ]),
    );
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["half a version", "HTTP"],
    ["half a head", OK],
    ["half a body", `${OK}Content-Length: 3\r\n\r\nxx`],
    ["half a chunk", `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nxx`],
    ["chunks without their end", `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`],
    ["chunks with half their end", `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n`],
    ["a hint and no more", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ])("has no answer in %s, even at the end of the socket", (_, text) => {
    expect(read(text).answer).toBeUndefined();
  });

  it.each<[string, string]>([
    ["a greeting of another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["an alert of TLS", "\u0015\u0003\u0003\u0000\u0002\u0002\u0028"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ["a header without a colon", `${OK}nonsense\r\n\r\n`],
    ["a folded header", `${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`],
    ["a blank in a name", `${OK}Content-Length : 1\r\n\r\nx`],
    ["a control character", `${OK}X: \u0000\r\nContent-Length: 0\r\n\r\n`],
    ["a bare line feed", `${OK}X: a\nContent-Length: 0\r\n\r\n`],
    ["a negative length", `${OK}Content-Length: -1\r\n\r\n`],
    ["a length with what is no blank in HTTP", `${OK}Content-Length: 1\u00a0\r\n\r\nx`],
    ["two lengths", `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`],
    ["a length beside chunks", `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["another coding", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ["more than the answer", `${OK}Content-Length: 1\r\n\r\nxy`],
    ["more than the chunks", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx`],
    ["a trailer that is none", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n`],
    ["a size that is none", `${OK}Transfer-Encoding: chunked\r\n\r\nz\r\n`],
    ["a chunk that does not end", `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n`],
    ["a head without end", `${OK}X: ${"x".repeat(17_000)}`],
    ["a body of 2 MB", `${OK}Content-Length: 2000000\r\n\r\n`],
    ["many chunks of 2 MB in all", `${OK}Transfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(340_000)}`],
    ["chunks of 2 MB", `${OK}Transfer-Encoding: chunked\r\n\r\n1e8480\r\n${"x".repeat(2_000_000)}`],
  ])("refuses %s", (_, text) => {
    expect(() => read(text)).toThrow(HttpProtocolError);
  });
});
