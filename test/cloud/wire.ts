import type { IncomingMessage, ServerResponse } from "node:http";

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds before it is sent. */
  readonly delay?: number;
  /** What happens after the body's first byte: the connection breaks, nothing arrives, or bytes arrive without end. @default - it is complete */
  readonly rest?: "breaks" | "stalls" | "drips";
}

/**
 * What a client sees of an HTTP server: a reply, or
 * - `hang`: no answer
 * - `reset`: the connection is closed instead of an answer
 * - `reset-within`: it is closed in the middle of the headers
 * - `garbage`: an answer that is not HTTP
 * - `drip`: headers that arrive byte by byte without end
 */
export type Behaviour = Reply | "hang" | "reset" | "reset-within" | "garbage" | "drip";

const DRIP_MS = 50;

export function reply(behaviour: Behaviour, { socket }: IncomingMessage, outgoing: ServerResponse): void {
  switch (behaviour) {
    case "hang":
      return;
    case "reset":
      socket.destroy();
      return;
    case "reset-within":
      socket.write("HTTP/1.1 200 OK\r\ncontent-le", () => socket.destroy());
      return;
    case "garbage":
      socket.end("200 ok, sort of\r\n\r\n");
      return;
    case "drip":
      drip(socket, "HTTP/1.1 200 OK\r\nx-drip: ");
      return;
    default:
      if (behaviour.delay === undefined) send(behaviour, socket, outgoing);
      else setTimeout(() => send(behaviour, socket, outgoing), behaviour.delay);
  }
}

function send(given: Reply, socket: IncomingMessage["socket"], outgoing: ServerResponse): void {
  const { status = 200, headers, body = "{}", rest } = given;
  if (rest === undefined) {
    outgoing.writeHead(status, headers).end(body);
    return;
  }
  outgoing.writeHead(status, { ...headers, "content-length": "1000000" });
  outgoing.write("{", () => {
    if (rest === "breaks") socket.destroy();
    if (rest === "drips") drip(outgoing, "");
  });
}

function drip(stream: NodeJS.WritableStream & { readonly destroyed: boolean }, text: string): void {
  const bytes = [...text];
  const timer = setInterval(() => {
    if (stream.destroyed) clearInterval(timer);
    else stream.write(bytes.shift() ?? "x");
  }, DRIP_MS);
}
