import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { DeliverConfig, ReceiveConfig } from "../../lambda/config";
import { resolveOptions } from "../../lambda/options";
import { QUEUE_ARN } from "../cloud/events";
import { bodyOf, CREDENTIALS, listen, REGION } from "../cloud/server";

/** What arrived since the last `take()`. */
export interface Arrived {
  /** Messages at SQS. */
  readonly messages: number;
  /** Calls at Segment. */
  readonly calls: number;
  /** Traits of the last message or call. */
  traits(): unknown;
}

export interface LoopbackCloud {
  readonly environment: Readonly<Record<string, string>>;
  take(): Arrived;
  /** Milliseconds until Segment answers. */
  delay: number;
  stop(): void;
}

export const SECRET = "bench-secret";

const nothing = (): Arrived => ({ messages: 0, calls: 0, traits: () => undefined });

/**
 * SSM, SQS and Segment that answer immediately and store nothing, so that only the functions are measured. The time of the fakes in
 * test/cloud would be a part of the figures.
 */
export async function startLoopbackCloud(): Promise<LoopbackCloud> {
  let arrived = nothing();
  const ssm = createServer(async (request, response) => {
    const { Name: name } = JSON.parse((await bodyOf(request)).toString());
    const value = String(name).endsWith("secret") ? SECRET : "write-key";
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(JSON.stringify({ Parameter: { Name: name, Type: "SecureString", Value: value, Version: 1 } }));
  });
  const sqs = createServer(async (request, response) => {
    const { Entries } = JSON.parse((await bodyOf(request)).toString());
    arrived = {
      ...arrived,
      messages: arrived.messages + Entries.length,
      traits: () => JSON.parse(Entries.at(-1).MessageBody).traits,
    };
    response.setHeader("content-type", "application/x-amz-json-1.0");
    response.end(JSON.stringify({ Successful: Entries.map(successOf), Failed: [] }));
  });
  const segment = createServer(async (request, response) => {
    const body = (await bodyOf(request)).toString();
    const traits = () => {
      const call = JSON.parse(body);
      return (call.batch?.[0] ?? call).traits;
    };
    arrived = { ...arrived, calls: arrived.calls + 1, traits };
    if (cloud.delay > 0) await new Promise((resolve) => setTimeout(resolve, cloud.delay));
    response.end('{"success":true}');
  });
  const servers: readonly Server[] = [ssm, sqs, segment];
  for (const server of servers) server.keepAliveTimeout = 60_000;
  const [ssmUrl = "", sqsUrl = "", segmentUrl = ""] = await Promise.all(servers.map((server) => listen(server)));
  const cloud: LoopbackCloud = {
    delay: 0,
    take: () => {
      const taken = arrived;
      arrived = nothing();
      return taken;
    },
    environment: environmentOf(ssmUrl, sqsUrl, segmentUrl),
    stop: () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
  return cloud;
}

function successOf({ Id, MessageBody }: { readonly Id: string; readonly MessageBody: string }): object {
  return { Id, MessageId: Id, MD5OfMessageBody: createHash("md5").update(MessageBody).digest("hex") };
}

/** The variables of all variants. Our functions read their own part of `CONFIG`. The other variants read the plain variables. */
function environmentOf(ssmUrl: string, sqsUrl: string, segmentUrl: string): Readonly<Record<string, string>> {
  const config: ReceiveConfig & DeliverConfig = {
    ...resolveOptions({ segmentEndpoint: segmentUrl }),
    urlSuffix: "invalid",
    stackName: "FlagsmithToSegment-bench",
    webhookSecretParameter: "/bench/webhook-secret",
    writeKeyParameter: "/bench/write-key",
    queueUrl: `${sqsUrl}/000000000000/queue.fifo`,
    queueArn: QUEUE_ARN,
    deadLetterQueueUrl: `${sqsUrl}/000000000000/dead.fifo`,
  };
  return {
    PATH: process.env.PATH ?? "",
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_SSM: ssmUrl,
    AWS_ENDPOINT_URL_SQS: sqsUrl,
    CONFIG: JSON.stringify(config),
    WEBHOOK_SECRET_PARAMETER: config.webhookSecretParameter,
    WRITE_KEY_PARAMETER: config.writeKeyParameter,
    QUEUE_URL: config.queueUrl,
    SEGMENT_ENDPOINT: segmentUrl,
  };
}
