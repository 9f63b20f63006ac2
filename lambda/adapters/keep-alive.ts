import { connect, isIP, type OnReadOpts, type Socket } from "node:net";
import { Connection, TimeoutError } from "./connection";
import type { HttpAnswer } from "./http-answer";

export interface KeepAliveOptions {
  readonly origin: URL;
  /** Milliseconds for connecting, TLS included. @default - those of the whole call */
  readonly connectTimeout?: number;
  /**
   * Milliseconds after which an idle socket is not used again: whoever does not try twice must not meet one that the server is
   * about to close.
   *
   * @default - as long as it is open
   */
  readonly maxIdle?: number;
  readonly now: () => number;
}

/**
 * POSTs to one origin, over sockets that stay open; as many as calls run at once. HTTP/1.1 of our own: `node:http` takes 2.3
 * times the CPU and 3 ms of a cold start, undici 1.7 times the CPU and 520 KB; what they can do besides, neither AWS's JSON
 * protocols nor Segment's API needs.
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  /** The last used one last. */
  readonly #idle: { readonly connection: Connection; readonly since: number }[] = [];
  /** So that a new connection need not check the certificates again. */
  #tlsSession: Buffer | undefined;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  /**
   * `head` is `requestHead`'s. `timeout` in milliseconds, connecting included.
   *
   * @throws IncompleteAnswerError, TimeoutError, HttpProtocolError, or what the socket says.
   */
  async post(head: string, body: string, timeout: number): Promise<HttpAnswer> {
    if (timeout <= 0) throw new TimeoutError();
    const known = this.#takeIdle();
    const connection =
      known ??
      new Connection(
        (onread) => this.#open(onread),
        (dead) => this.#forget(dead),
      );
    try {
      const answer = await connection.exchange(head, body, timeout);
      if (connection.reusable) this.#idle.push({ connection, since: this.#options.now() });
      return answer;
    } catch (error) {
      // What idled beside a socket that turned out dead, through a freeze of the container, is dead as well.
      if (known !== undefined) this.close();
      // What a new socket failed over may be the session that it offered.
      else this.#tlsSession = undefined;
      throw error;
    }
  }

  /** Ends the idle sockets, so that a process that is done can end. */
  close(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }

  #takeIdle(): Connection | undefined {
    const { maxIdle = Number.POSITIVE_INFINITY, now } = this.#options;
    const last = this.#idle.at(-1);
    // The others have idled for longer.
    if (last !== undefined && now() - last.since > maxIdle) this.close();
    return this.#idle.pop()?.connection;
  }

  #forget(dead: Connection): void {
    const index = this.#idle.findIndex(({ connection }) => connection === dead);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  #open(onread: OnReadOpts): Socket {
    const { protocol } = this.#options.origin;
    const [socket, opened] =
      protocol === "http:" ? [this.#openPlain(onread), "connect"] : [this.#openTls(onread), "secureConnect"];
    const { connectTimeout } = this.#options;
    if (connectTimeout === undefined) return socket;
    const timer = setTimeout(() => socket.destroy(new ConnectTimeoutError()), connectTimeout);
    return socket.once(opened, () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
  }

  #openPlain(onread: OnReadOpts): Socket {
    const { hostname, port } = this.#options.origin;
    return connect({ host: addressOf(hostname), port: Number(port || 80), onread });
  }

  #openTls(onread: OnReadOpts): Socket {
    const { hostname, port } = this.#options.origin;
    const host = addressOf(hostname);
    // Loading TLS costs 0.5 ms of a cold start; an emulator on loopback does without.
    const tls = process.getBuiltinModule("node:tls");
    const options = {
      host,
      port: Number(port || 443),
      onread,
      servername: isIP(host) === 0 ? host : "",
      ...(this.#tlsSession === undefined ? {} : { session: this.#tlsSession }),
    };
    return tls.connect(options).on("session", (session) => {
      this.#tlsSession = session;
    });
  }
}

/** A URL has an IPv6 address in brackets. */
function addressOf(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** `headers` are names and values by turns: all but the body's length. */
export function requestHead(path: string, headers: readonly string[]): string {
  let head = `POST ${path} HTTP/1.1\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return head;
}

/** Nothing was sent. */
class ConnectTimeoutError extends Error {
  override readonly name = "ConnectTimeoutError";
  readonly code = "connect-timeout";
}
