import { connect, isIP, type Socket } from "node:net";
import { Connection, TimeoutError } from "./connection";
import type { HttpAnswer } from "./http-answer";

/**
 * POSTs to the root of one origin, over sockets that stay open. HTTP/1.1 of our own, because `node:http` takes 65 µs of a
 * webhook's 150, and 3 ms of a cold start; what it can do besides, none of AWS's JSON protocols needs.
 */
export class KeepAlive {
  readonly #origin: URL;
  readonly #idle: Connection[] = [];
  /** So that a new connection need not check the certificates again. */
  #tlsSession: Buffer | undefined;

  constructor(origin: URL) {
    this.#origin = origin;
  }

  /**
   * `headers` are names and values by turns, all of them. `timeout` in milliseconds, connecting included.
   *
   * @throws TimeoutError, HttpProtocolError, or what the socket says.
   */
  async post(headers: readonly string[], body: string, timeout: number): Promise<HttpAnswer> {
    if (timeout <= 0) throw new TimeoutError();
    const known = this.#idle.pop();
    const connection = known ?? new Connection(this.#open(), (dead) => this.#forget(dead));
    try {
      const answer = await connection.exchange(requestOf(headers, body), timeout);
      if (connection.reusable) this.#idle.push(connection);
      return answer;
    } catch (error) {
      // What idled beside a socket that turned out dead, through a freeze of the container, is dead as well.
      if (known !== undefined) this.close();
      throw error;
    }
  }

  /** Ends the idle sockets, so that a process that is done can end. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #forget(dead: Connection): void {
    const index = this.#idle.indexOf(dead);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  #open(): Socket {
    const { protocol, hostname, port } = this.#origin;
    const host = hostname.replace(/^\[|\]$/g, "");
    if (protocol === "http:") return connect({ host, port: Number(port || 80) });
    // Loading TLS costs 0.5 ms of a cold start; an emulator on loopback does without.
    const tls = process.getBuiltinModule("node:tls");
    const socket = tls.connect({
      host,
      port: Number(port || 443),
      servername: isIP(host) === 0 ? host : "",
      ...(this.#tlsSession === undefined ? {} : { session: this.#tlsSession }),
    });
    socket.on("session", (session) => {
      this.#tlsSession = session;
    });
    return socket;
  }
}

function requestOf(headers: readonly string[], body: string): string {
  let text = "POST / HTTP/1.1\r\n";
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n${body}`;
}
