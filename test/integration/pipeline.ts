import type { Options } from "../../lambda/options";
import { sign } from "../../lambda/receive/signature";
import type { ArrivingCall } from "../cloud/segment";
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from "../local/local-cloud";
import { captureOutput, type LogLine } from "../support/capture";

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

/** The local cloud as the integration tests use it. */
export interface Pipeline {
  readonly cloud: LocalCloud;
  /** Log entries that the functions wrote. */
  readonly log: readonly LogLine[];
  post(body: Buffer, input?: PostInput): Promise<Sent>;
  /** The call with that id, as it arrived at Segment. */
  identify(messageId: string): Promise<ArrivingCall>;
  until(holds: () => boolean | Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

export interface PipelineOptions {
  readonly webhookSecret?: string;
  readonly options?: Options;
  readonly load?: NonNullable<LocalCloudOptions["load"]>;
}

const running = new Set<Pipeline>();
// A test that gave up did not stop its own.
afterAll(() => Promise.all([...running].map((pipeline) => pipeline.stop())));

export async function startPipeline({
  webhookSecret = "integration-secret",
  options = {},
  load,
}: PipelineOptions = {}): Promise<Pipeline> {
  let stopped = false;
  // For as long as the test runner lets it: a deadline of its own would depend on the machine's speed.
  const until: Pipeline["until"] = async (holds) => {
    while (!(await holds())) {
      if (stopped) throw new Error("the pipeline was stopped before what it was waited for came true");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const capture = captureOutput();
  const cloud = await startLocalCloud({
    port: 0,
    // Whatever its owner wrote into `cdk.json`.
    environment: ["production", {}],
    webhookSecret,
    writeKey: "write-key",
    options,
    lines: capture.lines,
    ...(load === undefined ? {} : { load }),
  }).catch((error: unknown) => {
    capture.end();
    throw error;
  });
  const pipeline: Pipeline = {
    cloud,
    get log() {
      return capture.lines();
    },
    post: (body, { signature = sign(body, webhookSecret) } = {}) => post(cloud.webhookUrl, body, signature),
    identify: async (messageId) => {
      let found: ArrivingCall | undefined;
      await until(() => {
        found = cloud.segment.calls.find((call) => call.messageId === messageId);
        return found !== undefined;
      });
      return found as unknown as ArrivingCall;
    },
    until,
    stop: async () => {
      if (stopped) return;
      stopped = true;
      await cloud.stop();
      capture.end();
      running.delete(pipeline);
    },
  };
  running.add(pipeline);
  return pipeline;
}

async function post(url: string, body: Buffer, signature: string | null): Promise<Sent> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(signature === null ? {} : { "x-flagsmith-signature": signature }) },
    body: new Uint8Array(body),
    redirect: "manual",
  });
  const text = await response.text();
  const { messageId = "" } = JSON.parse(text);
  return { status: response.status, text, messageId };
}
