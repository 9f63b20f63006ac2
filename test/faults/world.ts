import { type Machine, TIMING } from "../../lambda/timing";
import { createDynamodb, createTable } from "../cloud/dynamodb";
import { type Environments, environmentsOf, NAMES, TABLE } from "../cloud/environments";
import { SECRET } from "../cloud/events";
import { FifoQueue } from "../cloud/fifo-queue";
import { type ArrivingCall, FakeSegment } from "../cloud/segment";
import { close, listen } from "../cloud/server";
import { FakeSqs } from "../cloud/sqs";
import { FakeSsm } from "../cloud/ssm";
import type { AcceptedCall } from "./checker";
import type { Fault } from "./faults";

const OLD_KEY = "old-key";
const NEW_KEY = "new-key";

/**
 * Time-outs are real, so they are short. Waiting is virtual, so it is as long as in production. Only parameters are cached for a
 * shorter time, so that they are read often enough to meet the failures of SSM. Connections are kept over the virtual pauses, which
 * saves a fifth of the time.
 */
export const CAMPAIGN_TIMING: Machine["timing"] = {
  ...TIMING,
  awsAttemptMs: 200,
  awsCallMs: 400,
  awsAttempts: 4,
  awsPauseMs: 1,
  receiveBudgetMs: 800,
  segmentAttemptMs: 200,
  segmentConnectMs: 200,
  parameterTtlMs: 1_000,
  parameterStaleMs: 500,
  parameterFailureMs: 10,
  maxIdleMs: 3_600_000,
};

const RETENTION = 14 * 24 * 3_600_000;

/** Everything outside of the two functions. It uses real sockets on loopback and a clock that the campaign moves. */
export interface World {
  readonly clock: { now: number };
  readonly queue: FifoQueue;
  readonly deadLetters: FifoQueue;
  readonly acceptedCalls: AcceptedCall[];
  /** The same calls with all their fields. */
  readonly segmentCalls: readonly ArrivingCall[];
  /** How often the row's failure occurred. */
  strikes: number;
  /** What will happen on the virtual clock, soonest first. */
  readonly agenda: { readonly at: number; readonly act: () => Promise<void> | void }[];
  /** Adds to the agenda. `at` is in milliseconds since 1970. */
  schedule(at: number, act: () => Promise<void> | void): void;
  /** Number of calls that reached Segment, by user. */
  readonly arrivals: Map<string, number>;
  /** Receipt handles of killed invocations. Requests with such a handle fail. */
  readonly dead: Set<string>;
  /** Called for each call that reaches Segment. True = the invocation was killed, so Segment must not accept the call. */
  onArrival: (messageId: string) => boolean;
  readonly environments: Environments;
  stop(): Promise<void>;
}

export async function createWorld(
  fault: Fault,
  forward: "every" | "changes",
  start: number,
  random: () => number,
): Promise<World> {
  const clock = { now: start };
  const options = { clock, visibility: TIMING.visibilityMs, retention: RETENTION };
  const deadLetters = new FifoQueue(options);
  const { window = 120_000 } = fault;
  const queue = new FifoQueue({ ...options, window, deadLetters: { queue: deadLetters, maxReceiveCount: 1_000 } });
  const dead = new Set<string>();
  const acceptedCalls: AcceptedCall[] = [];
  const arrivals = new Map<string, number>();
  const struck = <Behaviour>(behaviour: Behaviour): Behaviour => {
    if (behaviour !== undefined && Object(behaviour).status !== 200) world.strikes++;
    return behaviour;
  };
  const secondsFromStart = () => (clock.now - start) / 1_000;
  const ssm = new FakeSsm(() => struck(fault.ssm?.(random)));
  ssm.set(NAMES.webhookSecret, SECRET);
  ssm.set(NAMES.writeKey, OLD_KEY);

  let goodKey = OLD_KEY;
  const segment = new FakeSegment({
    keepAlive: fault.ownConnections !== true,
    behave: (call) => {
      arrivals.set(call.userId, (arrivals.get(call.userId) ?? 0) + 1);
      if (world.onArrival(call.messageId)) return "reset-before";
      if (call.writeKey !== goodKey) return struck({ status: 401 });
      return struck(fault.segment?.(call, random, secondsFromStart()) ?? { status: 200 });
    },
    onTaken: ({ userId, messageId, traits }) =>
      acceptedCalls.push({ userId, messageId, traitNames: Object.keys(traits), at: clock.now }),
  });
  const sqs = new FakeSqs({
    queues: { "queue.fifo": queue, "dead-letters.fifo": deadLetters },
    behave: (action, name) => struck(fault.sqs?.(action, name, random)),
    isDead: (handle) => dead.has(handle),
  });
  let tableExists = false;
  const dynamodb = createDynamodb(() => (tableExists ? struck(fault.dynamodb?.(random, secondsFromStart())) : undefined));
  const servers = [segment.server, sqs.server, ssm.server, dynamodb];
  const [segmentUrl = "", sqsUrl = "", ssmUrl = "", dynamodbUrl = ""] = await Promise.all(
    servers.map((server) => listen(server)),
  );
  await createTable(dynamodbUrl, TABLE, {
    AttributeDefinitions: [{ AttributeName: "identity", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  tableExists = true;

  // Look-ups can fail only if the endpoint has a host name.
  const endpoint = fault.lookupFails === undefined ? segmentUrl : segmentUrl.replace("127.0.0.1", "localhost");
  const agenda: World["agenda"] = [];
  const schedule: World["schedule"] = (at, act) => {
    agenda.push({ at, act });
    agenda.sort((one, other) => one.at - other.at);
  };
  const at = (seconds: number, act: () => Promise<void> | void) => schedule(start + 1_000 * seconds, act);
  if (fault.down !== undefined) {
    at(fault.down[0], () => {
      world.strikes++;
      return close(segment.server);
    });
    at(fault.down[1], async () => void (await listen(segment.server, Number(new URL(segmentUrl).port))));
  }
  if (fault.rotation !== undefined) {
    at(fault.rotation.atSegment, () => {
      goodKey = NEW_KEY;
    });
    at(fault.rotation.atSsm, () => ssm.set(NAMES.writeKey, NEW_KEY));
  }
  const world: World = {
    clock,
    queue,
    deadLetters,
    acceptedCalls,
    segmentCalls: segment.calls,
    strikes: 0,
    agenda,
    schedule,
    arrivals,
    dead,
    onArrival: () => false,
    environments: environmentsOf({ sqsUrl, ssmUrl, dynamodbUrl, segmentUrl: endpoint }, { forward }),
    stop: async () => {
      await Promise.all(servers.map(close));
    },
  };
  return world;
}
