import type { Options } from "../../lambda/contract";
import { sign } from "../../lambda/domain/signature";
import { type Handlers, type LocalCloud, startLocalCloud } from "../local/cloud";
import type { Identify } from "../local/segment-sink";

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** "" if the answer has none. */
  readonly messageId: string;
}

export interface PostInput {
  /** null = no header. @default - the right one */
  readonly signature?: string | null | undefined;
  readonly contentType?: string;
}

/** The local cloud as the integration tests use it. */
export interface Road {
  readonly cloud: LocalCloud;
  /** Log lines that the functions wrote, parsed. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Everything that went to the terminal. */
  readonly output: () => string;
  post(body: Buffer, input?: PostInput): Promise<Sent>;
  /** The call with that id, as it arrived at Segment. */
  identify(messageId: string): Promise<Identify>;
  until(holds: () => boolean | Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

export interface RoadOptions {
  readonly webhookSecret?: string;
  readonly options?: Options;
  /** @default - the sources */
  readonly load?: () => Promise<Handlers>;
}

/** The sources, read anew: their configuration is that of `process.env` when they are imported. */
export async function loadSources(): Promise<Handlers> {
  jest.resetModules();
  return {
    receive: (await import("../../lambda/receive.lambda")).handler,
    deliver: (await import("../../lambda/deliver.lambda")).handler,
  };
}

export async function startRoad(input: RoadOptions = {}): Promise<Road> {
  const secret = input.webhookSecret ?? "integration-secret";
  const capture = captureOutput();
  let stopped = false;
  // For as long as the test runner lets it: a deadline of its own would depend on the machine's speed.
  const until: Road["until"] = async (holds) => {
    while (!(await holds())) {
      if (stopped) throw new Error("the road was stopped before what it was waited for came true");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const cloud = await startLocalCloud({
    port: 0,
    // Whatever its owner wrote into `cdk.json`.
    environment: ["production", {}],
    webhookSecret: secret,
    writeKey: "write-key",
    options: input.options ?? {},
    load: input.load ?? loadSources,
  });
  return {
    cloud,
    get log() {
      return capture.lines();
    },
    output: capture.text,
    post: (body, { signature = sign(body, secret), contentType = "application/json" } = {}) =>
      post(cloud.webhookUrl, body, signature, contentType),
    identify: async (messageId) => {
      const found = () => cloud.sink.calls.find(({ body }) => body.messageId === messageId);
      await until(() => found() !== undefined);
      return found() as Identify;
    },
    until,
    stop: async () => {
      stopped = true;
      await cloud.stop();
      capture.end();
    },
  };
}

async function post(url: string, body: Buffer, signature: string | null, contentType: string): Promise<Sent> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": contentType,
      ...(signature === null ? {} : { "x-flagsmith-signature": signature }),
    },
    body: new Uint8Array(body),
    redirect: "manual",
  });
  const text = await response.text();
  const { messageId = "" } = JSON.parse(text);
  return { status: response.status, headers: response.headers, text, messageId };
}

/** Both streams, kept from the terminal. */
function captureOutput() {
  const chunks: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, "write").mockImplementation((chunk) => {
      chunks.push(String(chunk));
      return true;
    }),
  );
  const text = () => chunks.join("");
  return {
    text,
    lines: () =>
      text()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    end: () => {
      for (const spy of spies) spy.mockRestore();
    },
  };
}
