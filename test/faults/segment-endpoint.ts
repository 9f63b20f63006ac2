import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { bodyOf } from "../local/parameter-store";

/** A call as it reaches Segment, for the first or a later time. */
export interface ArrivingCall {
  readonly messageId: string;
  readonly userId: string;
  readonly traits: Readonly<Record<string, unknown>>;
  readonly writeKey: string;
  /** From 1. */
  readonly attempt: number;
}

export type SegmentBehaviour =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Closed before Segment took the call. */
  | "reset-before"
  /** Taken, then closed in the middle of the answer. */
  | "reset-within"
  /** Taken, then closed instead of an answer. */
  | "reset-after"
  | "hanging"
  /** Taken, and answered with a byte now and then. */
  | "dripping"
  /** Taken, and answered with something that is not HTTP. */
  | "garbage";

const TAKEN: ReadonlySet<unknown> = new Set(["reset-within", "reset-after", "dripping", "garbage"]);

export interface SegmentEndpointOptions {
  readonly behave: (call: ArrivingCall) => SegmentBehaviour;
  /** Every call that Segment took, in order. */
  readonly onTaken: (call: ArrivingCall) => void;
  readonly keepAlive: boolean;
}

export function createSegmentEndpoint({ behave, onTaken, keepAlive }: SegmentEndpointOptions): Server {
  const attempts = new Map<string, number>();
  return createServer(async (request, response) => {
    const body = await bodyOf(request).catch(() => undefined);
    if (body === undefined) return; // the client gave up
    const { messageId, userId, traits } = JSON.parse(body.toString());
    const attempt = (attempts.get(messageId) ?? 0) + 1;
    attempts.set(messageId, attempt);
    const call = { messageId, userId, traits, writeKey: writeKeyOf(request), attempt };
    const behaviour = behave(call);
    if (TAKEN.has(behaviour) || Object(behaviour).status === 200) onTaken(call);
    if (!keepAlive) response.setHeader("connection", "close");
    answer(request, response, behaviour);
  });
}

function writeKeyOf(request: IncomingMessage): string {
  const [, encoded = ""] = request.headers.authorization?.split(" ") ?? [];
  return Buffer.from(encoded, "base64").toString().replace(/:$/, "");
}

function answer(request: IncomingMessage, response: ServerResponse, behaviour: SegmentBehaviour): void {
  if (typeof behaviour === "object") {
    response.writeHead(behaviour.status, behaviour.headers).end('{"success":true}');
    return;
  }
  const { socket } = request;
  switch (behaviour) {
    case "hanging":
      return;
    case "reset-before":
    case "reset-after":
      socket.resetAndDestroy();
      return;
    case "reset-within":
      socket.write("HTTP/1.1 200 OK\r\ncontent-le", () => socket.resetAndDestroy());
      return;
    case "garbage":
      socket.end("\u0000\u0001 200 ok, sort of\r\n\r\n");
      return;
    case "dripping": {
      const bytes = [..."HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"];
      const timer = setInterval(() => {
        const byte = bytes.shift();
        if (byte === undefined || socket.destroyed) clearInterval(timer);
        else socket.write(byte);
      }, 50);
      socket.once("close", () => clearInterval(timer));
    }
  }
}
