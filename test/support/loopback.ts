import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface LoopbackRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The client's port: equal for two requests over one socket. */
  readonly clientPort: number | undefined;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `hang` = never answer; `stall`, `break` = begin an answer of 200 and never end it, or close the socket; `reset` = close it at once. */
export type Behaviour = Reply | "hang" | "stall" | "break" | "reset";

/** An HTTP server on a free port of loopback that records every request. */
export class Loopback {
  readonly requests: LoopbackRequest[] = [];

  private constructor(private readonly server: Server) {}

  /** `answer` gets the request and its number, from 0. */
  static async start(
    answer: (request: LoopbackRequest, index: number) => Behaviour | Promise<Behaviour>,
  ): Promise<Loopback> {
    const server = createServer(async (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const request = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
        clientPort: incoming.socket.remotePort,
      };
      loopback.requests.push(request);
      const behaviour = await answer(request, loopback.requests.length - 1);
      if (behaviour === "hang") return;
      const begin = () => outgoing.writeHead(200, { "content-length": "10" });
      if (behaviour === "stall") begin().write("{");
      else if (behaviour === "break") begin().write("{", () => incoming.socket.destroy());
      else if (behaviour === "reset") incoming.socket.destroy();
      else outgoing.writeHead(behaviour.status ?? 200, behaviour.headers).end(behaviour.body ?? "{}");
    });
    const loopback = new Loopback(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return loopback;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Closes the sockets over which nothing is under way, and waits until their clients know. */
  async closeIdle(): Promise<void> {
    this.server.closeIdleConnections();
    const open = () =>
      new Promise<number>((resolve) => this.server.getConnections((_, count) => resolve(count)));
    while ((await open()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
