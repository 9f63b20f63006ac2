import { createServer } from "node:http";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { LocalPlaces } from "../../infra/cli/aws";
import { SETTINGS_URL } from "../../infra/cli/command";
import { parameterNames } from "../../infra/environment-name";
import { CONFIG_VARIABLE } from "../../lambda/config";
import type { Options } from "../../lambda/options";
import { composeDeliver, composeReceive } from "../../lambda/wiring";
import { ControlPlane, TOPIC } from "../cloud/control-plane";
import type { LogLine } from "../cloud/control-plane-logs";
import { createDynamodb, createTable } from "../cloud/dynamodb";
import type { Environments, Handlers } from "../cloud/environments";
import type { FifoQueue } from "../cloud/fifo-queue";
import { FakeSegment, type SegmentMode } from "../cloud/segment";
import { ACCOUNT, CREDENTIALS, close, LOOPBACK, REGION } from "../cloud/server";
import { FakeSqs, queueArn } from "../cloud/sqs";
import { FakeSsm } from "../cloud/ssm";
import { resolve } from "../support/template";
import { cdkJsonEnvironment, type FunctionDeployment, synthesize } from "./deployment";
import { EventSource } from "./event-source";
import { createFront, type FrontObserver } from "./front";
import { listenAt } from "./listen";
import { createQueues } from "./queues";

/** Segment's own hosts. */
const SEGMENT_HOSTS = /^https:\/\/[^/]+\.(segment\.io|segmentapis\.com)(\/|$)/;

export interface LocalCloudOptions {
  /** 0 = any free port. */
  readonly port: number;
  /** Address that the webhook listens at. The fakes of AWS stay on loopback. @default - loopback */
  readonly host?: string;
  readonly webhookSecret: string;
  readonly writeKey: string;
  /** @default - the embedded one */
  readonly segmentEndpoint?: string | undefined;
  /** The Flagsmith environment and its options. @default - the first one in `cdk.json` */
  readonly environment?: readonly [name: string, options: unknown];
  /** @default "ok" */
  readonly segmentMode?: SegmentMode;
  /** They replace options of the environment. */
  readonly options?: Options;
  /** Sees each webhook. @default - none */
  readonly observer?: FrontObserver;
  /** Called after the synth, which takes most of the time. @default - none */
  readonly onSynthesized?: () => void;
  /** Returns the log entries of the functions so far, for the commands. @default - none */
  readonly lines?: () => readonly LogLine[];
  /** @default - the sources */
  readonly load?: (environments: Environments) => Handlers | Promise<Handlers>;
}

export interface LocalQueue {
  readonly url: string;
  readonly arn: string;
  readonly queue: FifoQueue;
}

/** API Gateway, SSM, SQS, Lambda's event source, DynamoDB and Segment in one process, around the two functions. */
export interface LocalCloud {
  readonly webhookUrl: string;
  readonly segmentEndpoint: string;
  readonly stackName: string;
  readonly queue: LocalQueue;
  readonly deadLetterQueue: LocalQueue;
  readonly sqsEndpoint: string;
  readonly sqs: SQSClient;
  readonly segment: FakeSegment;
  /** URL of the embedded Segment, also if the calls go to another endpoint. */
  readonly segmentUrl: string;
  readonly ssm: FakeSsm;
  /** What the commands read in addition to queues and parameters. */
  readonly controlPlane: ControlPlane;
  /** What the commands read from `GET /`. */
  readonly places: LocalPlaces;
  readonly fakeSqs: FakeSqs;
  readonly parameterNames: ReturnType<typeof parameterNames>;
  stop(): Promise<void>;
}

export function loadSources({ receive, deliver }: Environments): Handlers {
  return { receive: composeReceive(receive), deliver: composeDeliver(deliver) };
}

/** Starts everything. If a part fails, all parts that were started before it are stopped. */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const started: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const stopPart of started.splice(0).reverse()) await stopPart();
  };
  try {
    return { ...(await start(options, started)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(options: LocalCloudOptions, started: (() => Promise<unknown>)[]): Promise<Omit<LocalCloud, "stop">> {
  const serve = async (server: ReturnType<typeof createServer>, port = 0, host = LOOPBACK) => {
    const url = await listenAt(server, port, host);
    started.push(() => close(server));
    return url;
  };
  const segment = new FakeSegment();
  const segmentUrl = await serve(segment.server);
  segment.knownKeys.add(options.writeKey);
  segment.mode = options.segmentMode ?? "ok";
  const segmentEndpoint = options.segmentEndpoint ?? segmentUrl;

  const [name, ownOptions] = options.environment ?? cdkJsonEnvironment();
  const deployment = synthesize(name, ownOptions, options.options);
  options.onSynthesized?.();
  const ssm = new FakeSsm();
  const names = parameterNames(name);
  ssm.set(names.webhookSecret, options.webhookSecret);
  ssm.set(names.writeKey, options.writeKey);

  const queues = createQueues(deployment);
  const byName = Object.fromEntries([...queues].map(([id, queue]) => [`${id}.fifo`, queue]));
  const fakeSqs = new FakeSqs({ queues: byName });
  const sqsEndpoint = await serve(fakeSqs.server);
  const dynamodbEndpoint = await serve(createDynamodb());
  for (const { logicalId, properties } of deployment.tables) await createTable(dynamodbEndpoint, logicalId, properties);

  const queueOf = (logicalId: string): LocalQueue => {
    const queue = queues.get(logicalId);
    if (queue === undefined) throw new Error(`the template has no queue ${logicalId}`);
    return { queue, url: `${sqsEndpoint}/${ACCOUNT}/${logicalId}.fifo`, arn: queueArn(`${logicalId}.fifo`) };
  };
  const environmentOf = ({ environment }: FunctionDeployment) => ({
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_SSM: ssmEndpoint,
    AWS_ENDPOINT_URL_SQS: sqsEndpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodbEndpoint,
    ...Object.fromEntries(
      Object.entries(environment).map(([variable, value]) => [variable, resolve(value, (id) => referred(id, queues, queueOf))]),
    ),
  });
  const ssmEndpoint = await serve(ssm.server);
  const environments = {
    receive: environmentOf(deployment.receive),
    deliver: withEndpoint(environmentOf(deployment.deliver), segmentEndpoint),
  };
  const { receive, deliver } = await (options.load ?? loadSources)(environments);
  const functions = (["receive", "deliver"] as const).map((one) => ({
    name: one,
    logGroup: one,
    variables: environments[one],
  }));
  const controlPlane = new ControlPlane({ sqs: fakeSqs, ssm, functions, lines: options.lines ?? (() => []) });
  const endpoint = await serve(controlPlane.server);
  // The port is opened last, so every client that finds it open gets an answer.
  const front = createServer((request, response) => void listener(request, response));
  const webhookUrl = `${await serve(front, options.port, options.host)}/webhook`;
  // Only Segment's own URL knows the keys of the real Segment.
  const settingsUrl = SEGMENT_HOSTS.test(segmentEndpoint) ? SETTINGS_URL : segmentUrl;
  const places = { region: REGION, endpoint, credentials: CREDENTIALS, webhookUrl, settingsUrl };
  const listener = createFront({
    receive,
    timeout: deployment.receive.timeout,
    places,
    segment: options.segmentEndpoint === undefined ? segment : undefined,
    observer: options.observer,
  });

  // The SDK warns about Node.js 20 at every start. The functions run on Node.js 24 and without the SDK, so the warning is irrelevant.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const sqs = new SQSClient({ endpoint: sqsEndpoint, region: REGION, credentials: CREDENTIALS });
  started.push(async () => sqs.destroy());
  const { queue: source, batchSize, maxConcurrency, enabled } = deployment.eventSource;
  controlPlane.state.eventSource = enabled ? "Enabled" : "Disabled";
  controlPlane.state.alarms = Object.fromEntries(deployment.alarms.map((name) => [name, "OK"]));
  controlPlane.state.subscriptions = Object.fromEntries(deployment.receivers.map((address) => [address, `${TOPIC}:1`]));
  const queue = queueOf(source);
  const { timeout } = deployment.deliver;
  if (enabled) {
    const eventSource = new EventSource({
      sqs,
      queueUrl: queue.url,
      queueArn: queue.arn,
      batchSize,
      maxConcurrency,
      deliver,
      timeout,
    });
    started.push(() => eventSource.stop());
  }
  const dead = [...queues.keys()].find((id) => id !== source) ?? "";
  return {
    webhookUrl,
    segmentEndpoint,
    stackName: deployment.stackName,
    queue,
    deadLetterQueue: queueOf(dead),
    sqsEndpoint,
    sqs,
    segment,
    segmentUrl,
    ssm,
    controlPlane,
    places,
    fakeSqs,
    parameterNames: names,
  };
}

/** Sets the endpoint after the synth. Its port is known only then, and all ports share one synth. */
function withEndpoint(variables: Readonly<Record<string, string>>, segmentEndpoint: string): Readonly<Record<string, string>> {
  const config: object = JSON.parse(variables[CONFIG_VARIABLE] ?? "{}");
  return { ...variables, [CONFIG_VARIABLE]: JSON.stringify({ ...config, segmentEndpoint }) };
}

/** The `Ref` of a queue is its URL. The `Ref` of a table is its name. */
function referred(reference: string, queues: ReadonlyMap<string, FifoQueue>, queueOf: (id: string) => LocalQueue): string {
  const [logicalId = "", attribute] = reference.split(".");
  if (!queues.has(logicalId)) return logicalId;
  return attribute === "Arn" ? queueOf(logicalId).arn : queueOf(logicalId).url;
}
