import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { bodyOf } from "../cloud/server";
import { type Behaviour, reply } from "../cloud/wire";

export type { Behaviour };

export interface LoopbackRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The client's port: equal for two requests over one socket. */
  readonly clientPort: number | undefined;
}

type Answer = (request: LoopbackRequest, index: number) => Behaviour | Promise<Behaviour>;

const TLS = join(__dirname, "fixtures/tls");
/** Certificate of `localhost`. A child process trusts it if NODE_EXTRA_CA_CERTS names it. */
export const CERTIFICATE = join(TLS, "localhost.crt");

/** An HTTP server on a free port of loopback that records every request. */
export class Loopback {
  readonly requests: LoopbackRequest[] = [];
  readonly #server: Server;
  readonly #protocol: "http" | "https";

  private constructor(answer: Answer, protocol: "http" | "https") {
    const listener = (incoming: IncomingMessage, outgoing: ServerResponse) => void this.#serve(answer, incoming, outgoing);
    const secure = () => ({ key: readFileSync(join(TLS, "localhost.key")), cert: readFileSync(CERTIFICATE) });
    this.#server = protocol === "http" ? createServer(listener) : createTlsServer(secure(), listener);
    // Idle sockets are closed only when a test does it.
    this.#server.keepAliveTimeout = 0;
    this.#protocol = protocol;
  }

  /** `answer` gets the request and its number, from 0. */
  static async start(answer: Answer, protocol: "http" | "https" = "http"): Promise<Loopback> {
    const loopback = new Loopback(answer, protocol);
    await new Promise<void>((resolve) => loopback.#server.listen(0, "127.0.0.1", resolve));
    return loopback;
  }

  get url(): string {
    return this.#protocol === "http" ? `http://127.0.0.1:${this.port}` : `https://localhost:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(answer: Answer, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming).catch(() => undefined);
    if (body === undefined) return; // the client gave up
    const { method = "", url: path = "", headers, socket } = incoming;
    const request = { method, path, headers, body: body.toString(), clientPort: socket.remotePort };
    this.requests.push(request);
    reply(await answer(request, this.requests.length - 1), incoming, outgoing);
  }
}
