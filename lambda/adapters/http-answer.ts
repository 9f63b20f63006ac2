import { Chunks } from "./http-chunks";
import { type Head, HttpProtocolError, MAX_HEAD, readHead } from "./http-head";

export interface HttpAnswer extends Pick<Head, "status" | "headers"> {
  readonly text: string;
}

/** An answer of which the head came, and not all of the rest. `cause` is what became of that. */
export class IncompleteAnswerError extends Error {
  override readonly name = "IncompleteAnswerError";

  constructor(
    readonly head: Pick<Head, "status" | "headers">,
    cause: Error,
  ) {
    super("the body of the answer did not come", { cause });
  }
}

/** DynamoDB's largest item is 400 KB, in base64 in JSON. */
const MAX_BODY = 1024 * 1024;
/** What sends something else may never send the end of a head. */
const START = "HTTP/1.";
const NOTHING = Buffer.alloc(0);

/** Reads the answer to one request out of what the socket gives, in pieces of any size. RFC 9112. */
export class AnswerReader {
  #received: Buffer = NOTHING;
  #head: Head | undefined;
  readonly #chunks = new Chunks();

  /** The answer, as soon as it is whole. The bytes of `piece` may be overwritten afterwards. @throws HttpProtocolError */
  push(piece: Buffer): HttpAnswer | undefined {
    const before = this.#received;
    this.#received = before.length === 0 ? piece : Buffer.concat([before, piece]);
    const answer = this.#read();
    if (answer === undefined && before.length === 0) this.#received = Buffer.from(this.#received);
    return answer;
  }

  #read(): HttpAnswer | undefined {
    while (this.#head === undefined) {
      if (!START.startsWith(this.#received.toString("latin1", 0, START.length)))
        throw new HttpProtocolError("not HTTP/1.1");
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
    if (this.#chunks.length + this.#received.length > MAX_BODY) throw new HttpProtocolError("body too long");
    return this.#body(this.#head);
  }

  /** The answer, if the end of the socket is what makes it whole. */
  end(): HttpAnswer | undefined {
    return this.#head?.framing === "until-close" ? this.#answer(this.#head, this.#received) : undefined;
  }

  /** What there is before the body; undefined = not there yet. */
  get head(): Head | undefined {
    return this.#head;
  }

  #body(head: Head): HttpAnswer | undefined {
    const { framing } = head;
    if (framing === "until-close") return undefined;
    if (framing === "chunked") {
      const { end, body } = this.#chunks.take(this.#received);
      this.#received = this.#received.subarray(end);
      return body && this.#answer(head, body, 0);
    }
    const { length } = framing;
    if (length > MAX_BODY) throw new HttpProtocolError("body too long");
    if (this.#received.length < length) return undefined;
    return this.#answer(head, this.#received.subarray(0, length), length);
  }

  #answer({ status, headers }: Head, body: Buffer, end = body.length): HttpAnswer {
    // Nobody asked for what comes behind it, so one of its lengths is wrong.
    if (this.#received.length > end) throw new HttpProtocolError("more than the answer");
    return { status, headers, text: body.toString("utf8") };
  }
}
