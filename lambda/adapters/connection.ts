import type { Socket } from "node:net";
import { AnswerReader, type HttpAnswer } from "./http-answer";

interface Exchange {
  readonly reader: AnswerReader;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** One socket, and at most one request on its way over it. */
export class Connection {
  readonly #socket: Socket;
  readonly #onDead: (connection: Connection) => void;
  #exchange: Exchange | undefined;
  /** False once the socket is of no more use. */
  reusable = true;

  /** `onDead` is told at once, and may be told again. */
  constructor(socket: Socket, onDead: (connection: Connection) => void) {
    this.#socket = socket;
    this.#onDead = onDead;
    socket.setNoDelay(true);
    socket.on("data", (piece) => this.#receive(piece));
    socket.on("end", () => this.#end());
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new ConnectionClosedError()));
  }

  /** `timeout` in milliseconds. @throws TimeoutError, HttpProtocolError, or what the socket says. */
  exchange(request: string, timeout: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new TimeoutError()), timeout);
      this.#exchange = { reader: new AnswerReader(), timer, resolve, reject };
      this.#socket.ref();
      this.#socket.write(request);
    });
  }

  destroy(): void {
    this.reusable = false;
    this.#onDead(this);
    this.#socket.destroy();
  }

  #receive(piece: Buffer): void {
    // An answer that nobody asked for.
    if (this.#exchange === undefined) this.destroy();
    else this.#read(this.#exchange, piece);
  }

  #read({ reader }: Exchange, piece: Buffer): void {
    try {
      const answer = reader.push(piece);
      if (answer !== undefined) this.#succeed(answer, reader.keepAlive);
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
    exchange?.reject(error);
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
