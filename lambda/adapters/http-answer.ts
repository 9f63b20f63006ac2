export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** What came is not HTTP/1.1, or more than any answer may be. The socket it came over is of no more use. */
export class HttpProtocolError extends Error {
  override readonly name = "HttpProtocolError";
  readonly code = "HTTP_PROTOCOL";
}

/** Of the head, as Node.js has it, and of a body: DynamoDB's largest item is 400 KB, in base64 in JSON. */
const MAX_HEAD = 16 * 1024;
const MAX_BODY = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

type Framing = { readonly length: number } | "chunked" | "until-close";

interface Head {
  readonly status: number;
  readonly framing: Framing;
  readonly keepAlive: boolean;
}

/** Reads the answer to one request out of what the socket gives, in pieces of any size. RFC 9112. */
export class AnswerReader {
  #received: Buffer = NOTHING;
  #head: Head | undefined;

  /** The answer, as soon as it is whole. @throws HttpProtocolError */
  push(piece: Buffer): HttpAnswer | undefined {
    this.#received = this.#received.length === 0 ? piece : Buffer.concat([this.#received, piece]);
    while (this.#head === undefined) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end > MAX_HEAD || (end === -1 && this.#received.length > MAX_HEAD)) {
        throw new HttpProtocolError("head too long");
      }
      if (end === -1) return undefined;
      const head = readHead(this.#received.toString("latin1", 0, end));
      this.#received = this.#received.subarray(end + 4);
      // 100 and 103 go before the answer; nobody asked for 101.
      if (head.status === 101) throw new HttpProtocolError("switches protocols");
      if (head.status >= 200) this.#head = head;
    }
    if (this.#received.length > MAX_BODY) throw new HttpProtocolError("body too long");
    return this.#body(this.#head);
  }

  /** The answer, if the end of the socket is what makes it whole. */
  end(): HttpAnswer | undefined {
    return this.#head?.framing === "until-close" ? this.#answer(this.#head, this.#received) : undefined;
  }

  /** Whether another request may go over the same socket, once the answer is whole. */
  get keepAlive(): boolean {
    return this.#head?.keepAlive === true;
  }

  #body(head: Head): HttpAnswer | undefined {
    const { framing } = head;
    if (framing === "until-close") return undefined;
    if (framing === "chunked") {
      const whole = readChunks(this.#received);
      return whole && this.#answer(head, whole.body, whole.end);
    }
    const { length } = framing;
    if (length > MAX_BODY) throw new HttpProtocolError("body too long");
    if (this.#received.length < length) return undefined;
    return this.#answer(head, this.#received.subarray(0, length), length);
  }

  #answer({ status }: Head, body: Buffer, end = body.length): HttpAnswer {
    // Nobody asked for what comes behind it, so one of its lengths is wrong.
    if (this.#received.length > end) throw new HttpProtocolError("more than the answer");
    return { status, text: body.toString("utf8") };
  }
}

/** Control characters, a bare CR or LF among them. */
const ILLEGAL = /[^\t\r\n -~\u0080-\u00ff]|\r(?!\n)|(?<!\r)\n/;
const HEADER = /^([\w!#$%&'*+.^`|~-]+):(.*)$/;

function readHead(text: string): Head {
  const statusEnd = text.indexOf("\r\n");
  const statusLine = statusEnd === -1 ? text : text.slice(0, statusEnd);
  const headers = readHeaders(text.slice(statusLine.length));
  const [, version, digits] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(statusLine) ?? [];
  if (digits === undefined || ILLEGAL.test(statusLine)) throw new HttpProtocolError("no status line");
  const status = Number(digits);
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  const framing = framingOf(status, headers);
  const keepAlive = framing !== "until-close" && version === "1" && !/\bclose\b/.test(connection);
  return { status, framing, keepAlive };
}

/** Each line has a line break before it. Names in lower case; what comes twice is joined. */
function readHeaders(text: string): ReadonlyMap<string, string> {
  if (ILLEGAL.test(text)) throw new HttpProtocolError("control characters");
  const headers = new Map<string, string>();
  for (const line of text.split("\r\n").slice(1)) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new HttpProtocolError("malformed header");
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value.trim() : `${before}, ${value.trim()}`);
  }
  return headers;
}

function framingOf(status: number, headers: ReadonlyMap<string, string>): Framing {
  if (status < 200 || status === 204 || status === 304) return { length: 0 };
  const [coding, length] = [headers.get("transfer-encoding"), headers.get("content-length")];
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked" || length !== undefined)
      throw new HttpProtocolError("transfer-encoding that is not chunked alone");
    return "chunked";
  }
  if (length === undefined) return "until-close";
  if (!/^\d{1,15}$/.test(length)) throw new HttpProtocolError("malformed content-length");
  return { length: Number(length) };
}

/** undefined = not whole yet. */
function readChunks(bytes: Buffer): { readonly body: Buffer; readonly end: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const [, digits] =
      /^([\da-f]{1,8})[ \t]*(?:;[\t -~]*)?$/i.exec(bytes.toString("latin1", at, lineEnd)) ?? [];
    if (digits === undefined) throw new HttpProtocolError("malformed chunk");
    const size = Number.parseInt(digits, 16);
    const start = lineEnd + 2;
    if (size === 0) {
      const end = bytes.indexOf("\r\n\r\n", lineEnd);
      if (end === -1) return undefined;
      readHeaders(bytes.toString("latin1", lineEnd, end));
      return { body: Buffer.concat(chunks), end: end + 4 };
    }
    if (bytes.length < start + size + 2) return undefined;
    if (bytes.toString("latin1", start + size, start + size + 2) !== "\r\n")
      throw new HttpProtocolError("malformed chunk");
    chunks.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
