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
      if (timeout <= 0) return reject(new TimeoutError());
      const outgoing = this.#transport.request({ ...this.#target, headers });
      let over = false;
      const end = (act: () => void) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        act();
      };
      const fail = (error: Error) =>
        end(() => {
          if (outgoing.reusedSocket) this.#dropIdle();
          outgoing.destroy();
          reject(error);
        });
      const timer = setTimeout(() => fail(new TimeoutError()), timeout);
      outgoing.on("error", fail);
      // 101 is neither an error nor an answer to Node.js.
      const closed = () => fail(new Error("closed without an answer"));
      outgoing.on("close", closed);
      outgoing.on("response", (response) => {
        // From here on the response tells; the request may close before the last of it was read.
        outgoing.off("close", closed);
        // Events: an async iterator takes several times the CPU.
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          end(() => resolve({ status: response.statusCode ?? 0, text }));
        });
      });
      outgoing.end(body);
    });
  }

  /** What idled beside a socket that turned out dead, through a freeze of the container, is dead as well. */
  #dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  /** Ends the idle sockets, so that a process that is done can end. */
  close(): void {
    this.#agent.destroy();
  }
}

class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}
