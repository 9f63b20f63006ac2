import { createServer, type Server } from "node:http";
import { bodyOf } from "./parameter-store";

/** An identify call as it arrived at Segment. */
export interface Identify {
  readonly writeKey: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly bytes: number;
}

/** Segment's Tracking API: takes every call, keeps it, answers as Segment does. */
export class SegmentSink {
  readonly calls: Identify[] = [];
  readonly #listeners: ((call: Identify) => void)[] = [];
  /** Write keys of sources that exist. As at Segment, calls with any other are answered with 200 all the same. */
  readonly knownKeys = new Set<string>();
  /** Statuses for the next calls, which are then not kept. */
  readonly refusals: number[] = [];

  onCall(listener: (call: Identify) => void): void {
    this.#listeners.push(listener);
  }

  readonly server: Server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const [, key] = /^\/v1\/projects\/([^/]+)\/settings$/.exec(request.url ?? "") ?? [];
    if (key !== undefined) {
      response.writeHead(this.knownKeys.has(decodeURIComponent(key)) ? 200 : 404).end("{}");
      return;
    }
    if (request.method !== "POST" || request.url !== "/v1/identify") {
      response.writeHead(404).end("Not Found");
      return;
    }
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal).end("refused");
      return;
    }
    const credentials = Buffer.from(
      request.headers.authorization?.slice("Basic ".length) ?? "",
      "base64",
    ).toString();
    const call = {
      writeKey: credentials.replace(/:$/, ""),
      body: JSON.parse(body.toString()),
      bytes: body.length,
    };
    this.calls.push(call);
    for (const listener of this.#listeners) listener(call);
    response.writeHead(200, { "content-type": "application/json" }).end('{"success":true}');
  });
}
