import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AwsJson } from "../../lambda/adapters/aws-json";
import { ENV, OPTIONS, type Options, parameterNames } from "../../lambda/contract";
import type { DeliverHandler } from "../../lambda/handlers/deliver";
import type { ReceiveHandler } from "../../lambda/handlers/receive";
import { cdkJsonEnvironment, type Deployment, referenceOf, synthesize } from "./deployment";
import { EventSource } from "./event-source";
import { createFront } from "./front";
import { ParameterStore } from "./parameter-store";
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

export interface LocalQueue {
  readonly url: string;
  readonly arn: string;
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

const REGION = "us-east-1";
const CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };
const LOOPBACK = "127.0.0.1";

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

async function listen(server: Server, started: (() => Promise<unknown>)[], port = 0): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, resolve);
  });
  started.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}

/** Dead-letter queues first, as CloudFormation would. */
async function createQueues(
  sqs: SQSClient,
  deployment: Deployment,
): Promise<ReadonlyMap<string, LocalQueue>> {
  const created = new Map<string, LocalQueue>();
  const ordered = [...deployment.queues].sort(
    (a, b) => Number(a.deadLetterQueue !== undefined) - Number(b.deadLetterQueue !== undefined),
  );
  for (const { logicalId, attributes, deadLetterQueue } of ordered) {
    const { maxReceiveCount, ...rest } = attributes;
    const redrive =
      deadLetterQueue === undefined
        ? {}
        : {
            RedrivePolicy: JSON.stringify({
              deadLetterTargetArn: queueOf(created, deadLetterQueue).arn,
              maxReceiveCount,
            }),
          };
    const { QueueUrl: url = "" } = await sqs.send(
      new CreateQueueCommand({ QueueName: `${logicalId}.fifo`, Attributes: { ...rest, ...redrive } }),
    );
    const { Attributes: { QueueArn: arn = "" } = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }),
    );
    created.set(logicalId, { url, arn });
  }
  return created;
}

function tableOf({ tables }: Deployment, logicalId: string): string {
  if (!tables.some((table) => table.logicalId === logicalId)) {
    throw new Error(`the template has no queue and no table ${logicalId}`);
  }
  return logicalId;
}

function queueOf(queues: ReadonlyMap<string, LocalQueue>, logicalId: string): LocalQueue {
  const queue = queues.get(logicalId);
  if (queue === undefined) throw new Error(`the template has no queue ${logicalId}`);
  return queue;
}

/** An embedded DynamoDB, where the deployment has a table. Its in-memory store is gone with the process. */
async function startTables(
  { tables }: Deployment,
  started: (() => Promise<unknown>)[],
): Promise<string | undefined> {
  if (tables.length === 0) return undefined;
  const { default: dynalite } = await import("dynalite");
  const endpoint = await listen(dynalite({ createTableMs: 0 }), started);
  const dynamodb = new AwsJson({
    service: "dynamodb",
    region: REGION,
    endpoint,
    credentials: CREDENTIALS,
    attemptTimeout: 10_000,
    attempts: 1,
    pause: 0,
    now: Date.now,
  });
  for (const { logicalId, properties } of tables) {
    const { AttributeDefinitions, KeySchema, BillingMode } = properties;
    await dynamodb.call("CreateTable", {
      TableName: logicalId,
      AttributeDefinitions,
      KeySchema,
      BillingMode,
    });
  }
  dynamodb.close();
  return endpoint;
}

/** Both functions share this process, and so one environment: where their variables overlap, they are equal. */
function setEnvironment(
  deployment: Deployment,
  queues: ReadonlyMap<string, LocalQueue>,
  endpoints: {
    readonly ssmEndpoint: string;
    readonly sqsEndpoint: string;
    readonly dynamodbEndpoint: string | undefined;
  },
): void {
  for (const variable of [...Object.values(ENV), ...Object.values(OPTIONS).flatMap(({ env }) => env ?? [])]) {
    delete process.env[variable];
  }
  for (const { environment } of deployment.functions) {
    for (const [variable, value] of Object.entries(environment)) {
      const referred = referenceOf(value) ?? "";
      process.env[variable] =
        typeof value === "string" ? value : (queues.get(referred)?.url ?? tableOf(deployment, referred));
    }
  }
  process.env.AWS_REGION = REGION;
  process.env.AWS_ACCESS_KEY_ID = CREDENTIALS.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = CREDENTIALS.secretAccessKey;
  delete process.env.AWS_SESSION_TOKEN;
  process.env.AWS_ENDPOINT_URL_SSM = endpoints.ssmEndpoint;
  process.env.AWS_ENDPOINT_URL_SQS = endpoints.sqsEndpoint;
  if (endpoints.dynamodbEndpoint !== undefined) {
    process.env.AWS_ENDPOINT_URL_DYNAMODB = endpoints.dynamodbEndpoint;
  }
}
