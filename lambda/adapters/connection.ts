import type { OnReadOpts, Socket } from "node:net";
import { AnswerReader, type HttpAnswer, IncompleteAnswerError } from "./http-answer";

interface Exchange {
  readonly reader: AnswerReader;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** What a TLS record holds at most. */
const BUFFER = 16 * 1024;

/** One socket, and at most one request on its way over it. */
export class Connection {
  readonly #socket: Socket;
  readonly #onDead: (connection: Connection) => void;
  #exchange: Exchange | undefined;
  /** False once the socket is of no more use. */
  reusable = true;

  /**
   * `open` makes a socket that reads as it is told: into one buffer for all that ever comes, where Node.js would take 64 KB for
   * each piece. `onDead` is told at once, and may be told again.
   */
  constructor(open: (onread: OnReadOpts) => Socket, onDead: (connection: Connection) => void) {
    const buffer = Buffer.allocUnsafe(BUFFER);
    const callback = (length: number) => this.#receive(buffer.subarray(0, length));
    const socket = open({ buffer, callback });
    this.#socket = socket;
    this.#onDead = onDead;
    socket.setNoDelay(true);
    socket.on("end", () => this.#end());
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new ConnectionClosedError()));
  }

  /** `timeout` in milliseconds. @throws IncompleteAnswerError, TimeoutError, HttpProtocolError, or what the socket says. */
  exchange(head: string, body: string, timeout: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new TimeoutError()), timeout);
      this.#exchange = { reader: new AnswerReader(), timer, resolve, reject };
      this.#socket.ref();
      const length = Buffer.byteLength(body);
      // A text of single bytes need not be looked at again, and heads are ASCII.
      const encoding = length === body.length ? "latin1" : "utf8";
      this.#socket.write(`${head}content-length: ${length}\r\n\r\n${body}`, encoding);
    });
  }

  destroy(): void {
    this.reusable = false;
    this.#onDead(this);
    this.#socket.destroy();
  }

  /** true = go on reading. */
  #receive(piece: Buffer): true {
    // An answer that nobody asked for.
    if (this.#exchange === undefined) this.destroy();
    else this.#read(this.#exchange, piece);
    return true;
  }

  #read({ reader }: Exchange, piece: Buffer): void {
    try {
      const answer = reader.push(piece);
      if (answer !== undefined) this.#succeed(answer, reader.head?.keepAlive === true);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(typeof error));
    }
  }

  #end(): void {
    const answer = this.#exchange?.reader.end();
    if (answer === undefined) this.#fail(new ConnectionClosedError());
    else this.#succeed(answer, false);
  }

  #succeed(answer: HttpAnswer, keepAlive: boolean): void {
    const exchange = this.#over();
    // An answer before the request is all written is a refusal; the rest of the request would clog the socket.
    if (keepAlive && this.#socket.writableLength === 0) this.#socket.unref();
    else this.destroy();
    exchange?.resolve(answer);
  }

  #fail(error: Error): void {
    const exchange = this.#over();
    this.destroy();
    const head = exchange?.reader.head;
    exchange?.reject(head === undefined ? error : new IncompleteAnswerError(head, error));
  }

  #over(): Exchange | undefined {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    clearTimeout(exchange?.timer);
    return exchange;
  }
}

class ConnectionClosedError extends Error {
  override readonly name = "ConnectionClosedError";
  readonly code = "ECONNRESET";
}

export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}
