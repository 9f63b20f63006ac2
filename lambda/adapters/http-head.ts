/** What came is not HTTP/1.1, or more than any answer may be. The socket it came over is of no more use. */
export class HttpProtocolError extends Error {
  override readonly name = "HttpProtocolError";
  readonly code = "HTTP_PROTOCOL";
}

/** As Node.js has it. */
export const MAX_HEAD = 16 * 1024;

type Framing = { readonly length: number } | "chunked" | "until-close";

export interface Head {
  readonly status: number;
  /** Names in lower case; what comes twice is joined. */
  readonly headers: ReadonlyMap<string, string>;
  readonly framing: Framing;
  /** Whether another request may go over the same socket, once the answer is whole. */
  readonly keepAlive: boolean;
}

/** Without control characters, which a bare CR or LF is. */
const STATUS_LINE = /HTTP\/1\.[01] [1-9]\d\d(?: [\t -~\u0080-\u00ff]*)?/.source;
const HEADERS = /(?:\r\n[\w!#$%&'*+.^`|~-]+:[\t -~\u0080-\u00ff]*)*/.source;
const HEAD = new RegExp(`^${STATUS_LINE}${HEADERS}$`);
const TRAILERS = new RegExp(`^${HEADERS}$`);

/** Status line and headers, without the line break behind them. @throws HttpProtocolError */
export function readHead(text: string): Head {
  if (!HEAD.test(text)) throw new HttpProtocolError("malformed head");
  const status = Number(text.slice(9, 12));
  const headers = readHeaders(text);
  const framing = framingOf(status, headers);
  const isOpen = text.startsWith("HTTP/1.1") && !/\bclose\b/i.test(headers.get("connection") ?? "");
  return { status, headers, framing, keepAlive: isOpen && framing !== "until-close" };
}

/** What may stand behind the last chunk, each line with its line break before it. @throws HttpProtocolError */
export function checkTrailers(text: string): void {
  if (!TRAILERS.test(text)) throw new HttpProtocolError("malformed trailer");
}

function readHeaders(head: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let at = head.indexOf("\r\n"); at !== -1; ) {
    const colon = head.indexOf(":", at);
    const next = head.indexOf("\r\n", colon);
    const name = head.slice(at + 2, colon).toLowerCase();
    const value = withoutBlanks(head, colon + 1, next === -1 ? head.length : next);
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
    at = next;
  }
  return headers;
}

/** `trim` would take what is no blank in HTTP as well, U+00A0 for one. */
function withoutBlanks(text: string, start: number, end: number): string {
  let [from, to] = [start, end];
  while (from < to && isBlank(text, from)) from++;
  while (to > from && isBlank(text, to - 1)) to--;
  return text.slice(from, to);
}

function isBlank(text: string, index: number): boolean {
  return text[index] === " " || text[index] === "\t";
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
