import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { parameterNames } from "../../lambda/contract";
import { TIMING, type Timing } from "../../lambda/timing";
import { ParameterStore } from "../local/parameter-store";
import type { TakenCall } from "./checker";
import { createDynamodbEndpoint } from "./dynamodb-endpoint";
import type { Fault } from "./faults";
import { type Clock, FifoQueue } from "./fifo-queue";
import { createSegmentEndpoint } from "./segment-endpoint";
import { createSqsEndpoint } from "./sqs-endpoint";

export const SECRET = "campaign-secret";
const OLD_KEY = "old-key";
const NEW_KEY = "new-key";

/**
 * Time-outs are real, so they are short; waiting is virtual, so it is as long as in production, but for parameters, which are
 * read often enough to meet the faults of SSM.
 */
export const CAMPAIGN_TIMING: Timing = {
  ...TIMING,
  awsAttempt: 150,
  awsPause: 1,
  receiveBudget: 600,
  segmentAttempt: 150,
  segmentConnect: 150,
  parameterTtl: 1_000,
  parameterStale: 500,
};

const RETENTION = 14 * 24 * 3_600_000;

/** Everything outside of the two functions, over real sockets of loopback and a clock that the campaign moves. */
export interface World {
  readonly clock: Clock;
  readonly queue: FifoQueue;
  readonly deadLetters: FifoQueue;
  readonly taken: TakenCall[];
  /** How often the fault struck. */
  strikes: number;
  /** What is yet to happen by the clock, soonest first. */
  readonly agenda: { readonly at: number; readonly act: () => Promise<void> | void }[];
  /** Ids and handles of killed invocations: nothing of theirs gets through. */
  readonly dead: Set<string>;
  /** Called for each call that Segment gets; true = the invocation is dead, do not take it. */
  onArrival: (messageId: string) => boolean;
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function createWorld(
  fault: Fault,
  forward: "every" | "changes",
  start: number,
  random: () => number,
): Promise<World> {
  const clock: Clock = { now: start };
  const options = { clock, visibility: TIMING.visibility, retention: RETENTION };
  const deadLetters = new FifoQueue(options);
  const queue = new FifoQueue({ ...options, deadLetters: { queue: deadLetters, maxReceiveCount: 1_000 } });
  const dead = new Set<string>();
  const taken: TakenCall[] = [];
  const names = parameterNames("campaign");
  const struck = <Behaviour>(behaviour: Behaviour): Behaviour => {
    if (behaviour !== undefined && Object(behaviour).status !== 200) world.strikes++;
    return behaviour;
  };
  const parameters = new ParameterStore({ behave: () => struck(fault.ssm?.(random)) });
  parameters.put(names.webhookSecret, SECRET);
  parameters.put(names.writeKey, OLD_KEY);

  let goodKey = OLD_KEY;
  const segment = createSegmentEndpoint({
    keepAlive: fault.lookupFails === undefined,
    behave: (call) => {
      if (world.onArrival(call.messageId)) return "reset-before";
      if (call.writeKey !== goodKey) return struck({ status: 401 });
      return struck(fault.segment?.(call, random, (clock.now - start) / 1_000) ?? { status: 200 });
    },
    onTaken: ({ userId, messageId, traits }) =>
      taken.push({ userId, messageId, traitNames: Object.keys(traits), at: clock.now }),
  });
  const sqs = createSqsEndpoint({
    queues: { queue, "dead-letters": deadLetters },
    behave: (action, name) => struck(fault.sqs?.(action, name, random)),
    isDead: (handle) => dead.has(handle),
  });
  const dynamodb = createDynamodbEndpoint(() =>
    struck(fault.dynamodb?.(random, (clock.now - start) / 1_000)),
  );
  const servers = [segment, sqs, parameters.server, dynamodb];
  const [segmentPort = 0, sqsPort, ssmPort, dynamodbPort] = await Promise.all(
    servers.map((server) => listen(server, 0)),
  );

  const agenda: World["agenda"] = [];
  const at = (seconds: number, act: () => Promise<void> | void) => {
    agenda.push({ at: start + 1_000 * seconds, act });
    agenda.sort((one, other) => one.at - other.at);
  };
  if (fault.down !== undefined) {
    at(fault.down[0], () => {
      world.strikes++;
      return close(segment);
    });
    at(fault.down[1], async () => void (await listen(segment, segmentPort)));
  }
  if (fault.rotation !== undefined) {
    at(fault.rotation.atSegment, () => {
      goodKey = NEW_KEY;
    });
    at(fault.rotation.atSsm, () => parameters.put(names.writeKey, NEW_KEY));
  }
  const segmentHost = fault.lookupFails === undefined ? "127.0.0.1" : "localhost";
  const world: World = {
    clock,
    queue,
    deadLetters,
    taken,
    strikes: 0,
    agenda,
    dead,
    onArrival: () => false,
    environment: {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "campaign",
      AWS_SECRET_ACCESS_KEY: "campaign",
      AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${sqsPort}`,
      AWS_ENDPOINT_URL_SSM: `http://127.0.0.1:${ssmPort}`,
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${dynamodbPort}`,
      FORWARD: forward,
      DELIVERED_TABLE: "delivered",
      STACK_NAME: "campaign",
      WEBHOOK_SECRET_PARAMETER: names.webhookSecret,
      WRITE_KEY_PARAMETER: names.writeKey,
      QUEUE_URL: `http://127.0.0.1:${sqsPort}/queue`,
      DEAD_LETTER_QUEUE_URL: `http://127.0.0.1:${sqsPort}/dead-letters`,
      SEGMENT_ENDPOINT: `http://${segmentHost}:${segmentPort}`,
      POWERTOOLS_LOG_LEVEL: "SILENT",
    },
    stop: async () => {
      await Promise.all(servers.filter(({ listening }) => listening).map(close));
    },
  };
  return world;
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
