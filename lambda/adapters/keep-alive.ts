import { Agent, type RequestOptions, request } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** POSTs to the root of one origin, over sockets that stay open. */
export class KeepAlive {
  readonly #transport: { readonly Agent: typeof Agent; readonly request: typeof request };
  readonly #target: Pick<RequestOptions, "hostname" | "port" | "method" | "path" | "agent">;
  readonly #agent: Agent;

  constructor(origin: URL) {
    // TLS costs 2.5 ms of every cold start; an emulator on loopback does without.
    this.#transport =
      origin.protocol === "http:" ? { Agent, request } : process.getBuiltinModule("node:https");
    this.#agent = new this.#transport.Agent({ keepAlive: true });
    const { hostname, port } = origin;
    this.#target = { hostname, port, method: "POST", path: "/", agent: this.#agent };
  }

  /**
   * `headers` are names and values by turns, all of them: Node.js adds none but `Connection`, and keeps no map of them.
   * `timeout` in milliseconds, from the first byte sent to the last received.
   *
   * @throws TimeoutError, or what the socket says.
   */
  post(headers: readonly string[], body: string, timeout: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = this.#transport.request({ ...this.#target, headers });
      const timer = setTimeout(() => outgoing.destroy(new TimeoutError(timeout)), timeout);
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      outgoing.on("error", fail);
      outgoing.on("response", (response) => {
        // Events: an async iterator takes several times the CPU.
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
        });
      });
      outgoing.end(body);
    });
  }

  /** Ends the idle sockets, so that a process that is done can end. */
  close(): void {
    this.#agent.destroy();
  }
}

class TimeoutError extends Error {
  override readonly name = "TimeoutError";

  constructor(after: number) {
    super(`no answer within ${after} ms`);
  }
}
