import { createServer } from "node:http";
import { SQSClient } from "@aws-sdk/client-sqs";
import { type Options, parameterNames } from "../../lambda/contract";
import type { DeliverHandler } from "../../lambda/handlers/deliver";
import type { ReceiveHandler } from "../../lambda/handlers/receive";
import { cdkJsonEnvironment, synthesize } from "./deployment";
import { setEnvironment } from "./environment";
import { EventSource } from "./event-source";
import { createFront } from "./front";
import { CREDENTIALS, LOOPBACK, listen, REGION } from "./loopback";
import { ParameterStore } from "./parameter-store";
import { createQueues, type LocalQueue, queueOf, startTables } from "./resources";
import { SegmentSink } from "./segment-sink";

export interface Handlers {
  readonly receive: ReceiveHandler;
  readonly deliver: DeliverHandler;
}

export interface LocalCloudOptions {
  /** 0 = any. */
  readonly port: number;
  readonly webhookSecret: string;
  readonly writeKey: string;
  /** @default - the embedded sink */
  readonly segmentEndpoint?: string;
  /** The Flagsmith environment and its options. @default - the first one in `cdk.json` */
  readonly environment?: readonly [name: string, options: unknown];
  /** Over those of the environment. */
  readonly options?: Options;
  /** Gets the exported handlers, once `process.env` is as Lambda would set it. */
  readonly load: () => Promise<Handlers>;
}

/** API Gateway, SSM, SQS, Lambda's event source and Segment in one process, around the two handlers that are deployed. */
export interface LocalCloud {
  readonly webhookUrl: string;
  readonly segmentEndpoint: string;
  readonly stackName: string;
  readonly queue: LocalQueue;
  readonly deadLetterQueue: LocalQueue;
  readonly sqsEndpoint: string;
  readonly sqs: SQSClient;
  readonly sink: SegmentSink;
  /** The embedded Segment, whatever endpoint the calls go to. */
  readonly sinkUrl: string;
  readonly parameters: ParameterStore;
  readonly parameterNames: ReturnType<typeof parameterNames>;
  stop(): Promise<void>;
}

/** Starts everything, or nothing: what was started is stopped again when a later part fails. */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const started: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const stopPart of started.splice(0).reverse()) await stopPart();
  };
  try {
    return { ...(await build(options, started)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(
  options: LocalCloudOptions,
  started: (() => Promise<unknown>)[],
): Promise<Omit<LocalCloud, "stop">> {
  const front = createServer();
  const webhookUrl = `${await listen(front, started, options.port)}/webhook`;
  const sink = new SegmentSink();
  const sinkUrl = await listen(sink.server, started);
  sink.knownKeys.add(options.writeKey);
  const segmentEndpoint = options.segmentEndpoint ?? sinkUrl;

  const [name, ownOptions] = options.environment ?? cdkJsonEnvironment();
  const deployment = synthesize(name, ownOptions, { ...options.options, segmentEndpoint });

  const parameters = new ParameterStore();
  const names = parameterNames(name);
  parameters.put(names.webhookSecret, options.webhookSecret);
  parameters.put(names.writeKey, options.writeKey);
  const ssmEndpoint = await listen(parameters.server, started);

  const { buildApp } = await import("fauxqs"); // an ES module in a CommonJS project
  const emulator = buildApp({ logger: false, defaultRegion: REGION });
  // Not the emulator's own start, which listens for the whole network.
  const sqsEndpoint = await emulator.listen({ host: LOOPBACK, port: 0 });
  started.push(() => emulator.close());
  // The SDK warns of Node.js 20 on every start; the functions run on 24 and without the SDK.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const sqs = new SQSClient({ endpoint: sqsEndpoint, region: REGION, credentials: CREDENTIALS });
  started.push(async () => sqs.destroy());
  const queues = await createQueues(sqs, deployment);

  const dynamodbEndpoint = await startTables(deployment, started);
  setEnvironment(deployment, queues, { ssmEndpoint, sqsEndpoint, dynamodbEndpoint });
  const { receive, deliver } = await options.load();
  const timeout = Math.max(...deployment.functions.map((each) => each.timeout));
  front.on("request", createFront(receive, timeout));
  const { queue: source, batchSize, maxConcurrency } = deployment.eventSource;
  const queue = queueOf(queues, source);
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
  const dead = deployment.queues.find(({ logicalId }) => logicalId === source)?.deadLetterQueue ?? "";
  return {
    webhookUrl,
    segmentEndpoint,
    stackName: deployment.stackName,
    queue,
    deadLetterQueue: queueOf(queues, dead),
    sqsEndpoint,
    sqs,
    sink,
    sinkUrl,
    parameters,
    parameterNames: names,
  };
}
