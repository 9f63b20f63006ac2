import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { bodyOf } from "../local/parameter-store";

/** What came since it was last asked for. */
export interface Arrived {
  /** Messages at SQS. */
  readonly messages: number;
  /** Calls at Segment. */
  readonly calls: number;
  /** Of the last one, wherever it came. */
  traits(): unknown;
}

export interface LoopbackCloud {
  readonly environment: Readonly<Record<string, string>>;
  take(): Arrived;
  /** Milliseconds that Segment takes. */
  delay: number;
  stop(): void;
}

export const SECRET = "bench-secret";

const nothing = (): Arrived => ({ messages: 0, calls: 0, traits: () => undefined });

/** SSM, SQS and Segment that answer at once: what is measured is the functions. */
export async function startLoopbackCloud(): Promise<LoopbackCloud> {
  let arrived = nothing();
  const ssm = createServer(async (request, response) => {
    const { Name: name } = JSON.parse((await bodyOf(request)).toString());
    const value = String(name).endsWith("secret") ? SECRET : "write-key";
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(
      JSON.stringify({ Parameter: { Name: name, Type: "SecureString", Value: value, Version: 1 } }),
    );
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
  const servers = [ssm, sqs, segment];
  const [ssmUrl = "", sqsUrl = "", segmentUrl = ""] = await Promise.all(servers.map(listen));
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

function environmentOf(ssmUrl: string, sqsUrl: string, segmentUrl: string): Readonly<Record<string, string>> {
  return {
    PATH: process.env.PATH ?? "",
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
    AWS_ENDPOINT_URL_SSM: ssmUrl,
    AWS_ENDPOINT_URL_SQS: sqsUrl,
    STACK_NAME: "FlagsmithToSegment-bench",
    WEBHOOK_SECRET_PARAMETER: "/bench/webhook-secret",
    WRITE_KEY_PARAMETER: "/bench/write-key",
    QUEUE_URL: `${sqsUrl}/000000000000/queue.fifo`,
    DEAD_LETTER_QUEUE_URL: `${sqsUrl}/000000000000/dead.fifo`,
    SEGMENT_ENDPOINT: segmentUrl,
  };
}

async function listen(server: Server): Promise<string> {
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
