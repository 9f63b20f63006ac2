import { checkTrailers, HttpProtocolError } from "./http-head";

/** A chunked body, as far as it came. What is whole is taken once, so that many small pieces cost no more than few. RFC 9112, 7.1. */
export class Chunks {
  readonly #chunks: Buffer[] = [];
  /** Bytes on the wire that were taken. */
  length = 0;

  /**
   * Takes the whole chunks at the start of `bytes`, which may be overwritten afterwards.
   *
   * @returns where the rest begins, and the body once its end was there
   * @throws HttpProtocolError
   */
  take(bytes: Buffer): { readonly end: number; readonly body?: Buffer } {
    let end = 0;
    for (let chunk = readChunk(bytes, 0); chunk !== undefined; chunk = readChunk(bytes, end)) {
      this.length += chunk.end - end;
      end = chunk.end;
      if (chunk.isLast) return { end, body: Buffer.concat(this.#chunks) };
      this.#chunks.push(Buffer.from(chunk.content));
    }
    return { end };
  }
}

interface Chunk {
  readonly content: Buffer;
  readonly end: number;
  readonly isLast: boolean;
}

/** undefined = not whole yet. */
function readChunk(bytes: Buffer, at: number): Chunk | undefined {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd === -1) return undefined;
  const [, digits] =
    /^([\da-f]{1,8})[ \t]*(?:;[\t -~]*)?$/i.exec(bytes.toString("latin1", at, lineEnd)) ?? [];
  if (digits === undefined) throw new HttpProtocolError("malformed chunk");
  const size = Number.parseInt(digits, 16);
  if (size === 0) return readLast(bytes, lineEnd);
  const [start, contentEnd] = [lineEnd + 2, lineEnd + 2 + size];
  if (bytes.length < contentEnd + 2) return undefined;
  if (bytes.toString("latin1", contentEnd, contentEnd + 2) !== "\r\n")
    throw new HttpProtocolError("malformed chunk");
  return { content: bytes.subarray(start, contentEnd), end: contentEnd + 2, isLast: false };
}

function readLast(bytes: Buffer, lineEnd: number): Chunk | undefined {
  const end = bytes.indexOf("\r\n\r\n", lineEnd);
  if (end === -1) return undefined;
  checkTrailers(bytes.toString("latin1", lineEnd, end));
  return { content: bytes.subarray(end, end), end: end + 4, isLast: true };
}
