import { sign } from "../../lambda/receive/signature";
import type { LogLine } from "../cloud/control-plane-logs";
import type { ArrivingCall } from "../cloud/segment";
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from "../local/local-cloud";
import { captureOutput } from "../support/capture";

export interface Sent {
  readonly status: number;
  readonly text: string;
  /** "" if the answer has none. */
  readonly messageId: string;
}

export interface PostInput {
  /** null = no header. @default - the right one */
  readonly signature?: string | null | undefined;
}

/** What an `until` waits for: anything but these two. */
type Missing = false | undefined;

/** The local cloud as the integration tests use it. */
export interface Pipeline {
  readonly cloud: LocalCloud;
  /** Log entries that the functions wrote. */
  readonly log: readonly LogLine[];
  post(body: Buffer, input?: PostInput): Promise<Sent>;
  /** The call with that id, as it arrived at Segment. */
  identify(messageId: string): Promise<ArrivingCall>;
  until<Found>(find: () => Found | Missing | Promise<Found | Missing>): Promise<Found>;
  stop(): Promise<void>;
}

const running: Pipeline[] = [];
// A test that gave up did not stop its own.
afterAll(() => Promise.all(running.map((pipeline) => pipeline.stop())));

export async function startPipeline({
  webhookSecret = "integration-secret",
  ...options
}: Partial<Pick<LocalCloudOptions, "webhookSecret" | "options" | "load">> = {}): Promise<Pipeline> {
  let stopped = false;
  // For as long as the test runner lets it: a deadline of its own would depend on the machine's speed.
  const until: Pipeline["until"] = async (find) => {
    for (;;) {
      const found = await find();
      if (found !== false && found !== undefined) return found;
      if (stopped) throw new Error("the pipeline was stopped before what it was waited for came true");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const capture = captureOutput();
  // The environment has no options of its own, whatever its owner wrote into `cdk.json`.
  const fixed = { port: 0, environment: ["production", {}], writeKey: "write-key", lines: capture.lines } as const;
  const cloud = await startLocalCloud({ ...fixed, webhookSecret, ...options }).catch((error: unknown) => {
    capture.end();
    throw error;
  });
  const pipeline: Pipeline = {
    cloud,
    get log() {
      return capture.lines();
    },
    post: (body, { signature = sign(body, webhookSecret) } = {}) => post(cloud.webhookUrl, body, signature),
    identify: (messageId) => until(() => cloud.segment.calls.find((call) => call.messageId === messageId)),
    until,
    stop: async () => {
      if (stopped) return;
      stopped = true;
      await cloud.stop();
      capture.end();
    },
  };
  running.push(pipeline);
  return pipeline;
}

async function post(url: string, body: Buffer, signature: string | null): Promise<Sent> {
  const signed = signature === null ? {} : { "x-flagsmith-signature": signature };
  const headers = { "content-type": "application/json", ...signed };
  const response = await fetch(url, { method: "POST", headers, body: new Uint8Array(body), redirect: "manual" });
  const text = await response.text();
  const { messageId = "" } = JSON.parse(text);
  return { status: response.status, text, messageId };
}
