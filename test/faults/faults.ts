import { createHash } from "node:crypto";
import type { DynamodbBehaviour } from "../cloud/dynamodb";
import type { ArrivingCall, SegmentBehaviour } from "../cloud/segment";
import type { SqsBehaviour } from "../cloud/sqs";
import type { SsmBehaviour } from "../cloud/ssm";
import { type Findings, numberOf } from "./checker";

type Random = () => number;

/**
 * What may happen to an invocation of deliver:
 * - `killed`: it is killed in the middle of its batch, and does nothing more
 * - `unreported`: it is killed after its work, before SQS learns of the result
 * - `doubled`: the event source invokes deliver twice at the same time with the same batch
 * - `undeleted`: it reports its result, but the messages become visible again
 */
export type InvocationFault = "killed" | "unreported" | "doubled" | "undeleted" | undefined;

/** One row of the campaign. Everything else works. */
export interface Fault {
  readonly name: string;
  readonly segment?: (call: ArrivingCall, random: Random, secondsFromStart: number) => SegmentBehaviour;
  readonly ssm?: (random: Random) => SsmBehaviour;
  readonly sqs?: (action: string, queue: string, random: Random) => SqsBehaviour;
  /** Happens only with `forward: "changes"`. */
  readonly dynamodb?: (random: Random, secondsFromStart: number) => DynamodbBehaviour;
  readonly invocation?: (random: Random) => InvocationFault;
  /** Seconds from the start during which Segment's port is closed. */
  readonly down?: readonly [from: number, to: number];
  /** True = each call to Segment has a connection of its own. @default - connections are used again */
  readonly ownConnections?: boolean;
  /** Share of name look-ups that fail. */
  readonly lookupFails?: number;
  /** Seconds from the start. From `atSegment` on, Segment accepts only the new write key; from `atSsm` on, SSM has it. */
  readonly rotation?: { readonly atSegment: number; readonly atSsm: number };
  /** Milliseconds by which each container's clock is off. */
  readonly skews?: readonly number[];
  /** Hours over which the webhooks are spread, their number, and the number of users. @default - 20 per second, and the options' numbers */
  readonly hours?: number;
  readonly events?: number;
  readonly users?: number;
  /** Seconds that a call to Segment takes on the virtual clock. @default 0 */
  readonly callSeconds?: number;
  /** Hours after which the row ends, even if messages still wait. @default - when the queue is empty */
  readonly endsAfter?: number;
  /** Seconds that the oldest event may have waited when the row ends. */
  readonly oldest?: number;
  /** Share of the webhooks that belongs to one user, `BUSY`. */
  readonly busy?: number;
  /** How many messages, counted from the oldest, SQS looks at. @default 120,000 */
  readonly window?: number;
  /** Whether the failure affects a user. @default - all users */
  readonly strikes?: (identity: string) => boolean;
  /** Seconds within which each event of the other users must be at Segment. If all users are affected, this holds for all. */
  readonly within?: number;
  /** Seconds within which each event of the affected users must be at Segment. */
  readonly withinStruck?: number;
  /** Expected reasons of dead letters, with the highest number of each. */
  readonly expects?: Readonly<Partial<Record<"isolated-failure" | "expired", number>>>;
  /** Seconds from the webhook to its dead letter. @default - at least three hours */
  readonly deadLetteredAfter?: readonly [from: number, to: number];
  /** False = containers live as long as the row lasts. @default true */
  readonly recycles?: boolean;
  /** Users send by turns, all equally often. @default - a few users send much, many send little */
  readonly byTurns?: boolean;
  /** How many of the expected dead letters there must be at least. @default 1 */
  readonly atLeast?: number;
}

export const BUSY = "busy";

const OK: SegmentBehaviour = { status: 200 };

/** Selects one event in 64 of the first 400, the same ones each time. With more, the endpoint would not look healthy. */
const isPoison = ({ traits }: ArrivingCall) => {
  const number = numberOf(Object.keys(traits));
  return number < 400 && number % 64 === 5;
};

/** Whether these are traits of one of the events with these numbers. */
const isOfEvent = (traits: ArrivingCall["traits"], from: number, to: number) => {
  const number = numberOf(Object.keys(traits));
  return from <= number && number < to;
};

/** With 160 evaluations per hour, such a call is dead-lettered after three hours. A younger one still waits at the end. */
const poison = (status: number): Partial<Fault> => ({
  hours: 4,
  endsAfter: 4,
  events: 640,
  users: 60,
  byTurns: true,
  oldest: 4 * HOUR,
  segment: (call) => (isPoison(call) ? { status } : OK),
  expects: { "isolated-failure": 12 },
});

/** Selects a share of the users, the same ones each time. */
const isShare = (identity: string, share: number) =>
  createHash("sha256").update(identity).digest().readUInt16BE() < share * 2 ** 16;

const often = (share: number, behaviour: SegmentBehaviour): Pick<Fault, "segment"> => ({
  segment: (_, random) => (random() < share ? behaviour : OK),
});

const ssm = (share: number, behaviour: SsmBehaviour): Pick<Fault, "ssm"> => ({
  ssm: (random) => (random() < share ? behaviour : undefined),
});

const sqs = (share: number, only: string, behaviour: SqsBehaviour): Pick<Fault, "sqs"> => ({
  sqs: (action, _, random) => (action === only && random() < share ? behaviour : undefined),
});

const invocation = (share: number, fault: InvocationFault): Pick<Fault, "invocation"> => ({
  invocation: (random) => (random() < share ? fault : undefined),
});

/** Seconds. */
const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Three users of 100: user-3, user-37 and user-71. */
const isOfThreePercent = (identity: string) => Number(/\d+/.exec(identity)) % 34 === 3;

const FAULTS: readonly Fault[] = [
  { name: "none" },
  { name: "Segment 400", ...poison(400) },
  { name: "Segment 401 until the key is set", rotation: { atSegment: 1, atSsm: 121 } },
  { name: "Segment 408", ...often(0.2, { status: 408 }) },
  { name: "Segment 429, Retry-After", ...often(0.1, { status: 429, headers: { "retry-after": "20" } }) },
  { name: "Segment 429, X-RateLimit-Reset", ...often(0.1, { status: 429, headers: { "x-ratelimit-reset": "9" } }) },
  { name: "Segment 429", ...often(0.1, { status: 429 }) },
  { name: "Segment 500", ...often(0.3, { status: 500 }) },
  { name: "Segment 503 for an hour", segment: (_, __, seconds) => (seconds < 3_600 ? { status: 503 } : OK) },
  { name: "connection refused", down: [1, 91] },
  { name: "reset before the answer", ...often(0.2, "reset-before") },
  { name: "reset within the answer", ...often(0.2, "reset-within") },
  { name: "reset instead of the answer", ...often(0.2, "reset-after") },
  { name: "accepts and hangs", ...often(0.1, "hanging") },
  { name: "a byte now and then", ...often(0.1, "dripping") },
  { name: "garbage instead of HTTP", ...often(0.2, "garbage") },
  { name: "DNS failure", lookupFails: 0.3, ownConnections: true },
  { name: "SSM throttled", ...ssm(0.6, "throttled") },
  { name: "SSM denied", ...ssm(0.6, "denied") },
  { name: "SSM hanging", ...ssm(0.3, "hanging") },
  { name: "SQS send throttled", ...sqs(0.3, "SendMessageBatch", "throttled") },
  { name: "SQS send 500", ...sqs(0.3, "SendMessageBatch", "error") },
  { name: "SQS send stored, answer lost", ...sqs(0.1, "SendMessageBatch", "lost-answer") },
  { name: "SQS schedule fails", ...often(0.2, { status: 500 }), ...sqs(0.5, "ChangeMessageVisibilityBatch", "error") },
  { name: "deliver killed in mid-batch", ...invocation(0.2, "killed") },
  { name: "deliver killed before it reports", ...invocation(0.2, "unreported") },
  { name: "batch delivered twice at the same time", ...invocation(0.2, "doubled") },
  { name: "message visible again", ...invocation(0.2, "undeleted") },
  {
    name: "dead-letter queue unreachable",
    ...poison(400),
    sqs: (_, queue, random) => (queue === "dead-letters.fifo" && random() < 0.7 ? "error" : undefined),
  },
  { name: "clocks an hour off", ...often(0.2, { status: 500 }), skews: [0, 1_000 * HOUR, -1_000 * HOUR] },
  { name: "DynamoDB throttled", dynamodb: (random) => (random() < 0.3 ? "throttled" : undefined) },
  { name: "DynamoDB down for an hour", dynamodb: (_, seconds) => (seconds < 3_600 ? "throttled" : undefined), within: 80 * 60 },
  { name: "DynamoDB hanging", dynamodb: (random) => (random() < 0.1 ? "hanging" : undefined) },
  { name: "DynamoDB answer lost", dynamodb: (random) => (random() < 0.1 ? "lost-answer" : undefined) },
  {
    name: "all at the same time",
    hours: 1,
    endsAfter: 2,
    // Nothing is dead-lettered before it is three hours old.
    oldest: 3 * HOUR,
    segment: (call, random) => {
      if (isPoison(call)) return { status: 400 };
      const drawn = random();
      if (drawn < 0.05) return { status: 500 };
      if (drawn < 0.07) return { status: 429, headers: { "retry-after": "5" } };
      if (drawn < 0.1) return "reset-after";
      if (drawn < 0.12) return "reset-within";
      return drawn < 0.125 ? "hanging" : OK;
    },
    sqs: (_, __, random) => (random() < 0.05 ? "throttled" : undefined),
    ssm: (random) => (random() < 0.2 ? "throttled" : undefined),
    invocation: (random) => (["killed", "unreported", "doubled", "undeleted"] as const)[Math.floor(random() * 20)],
    dynamodb: (random) => (random() < 0.1 ? "throttled" : undefined),
    skews: [0, 1_000 * HOUR, -1_000 * HOUR],
  },
  {
    name: "poison call of a busy user",
    hours: 5,
    events: 400,
    users: 60,
    busy: 0.3,
    segment: ({ userId, traits }) => ({ status: userId === BUSY && isOfEvent(traits, 40, 60) ? 503 : 200 }),
    strikes: (identity) => identity === BUSY,
    within: MINUTE,
    expects: { "isolated-failure": 12 },
  },
  {
    name: "proxy restarts with 404s",
    hours: 1,
    events: 320,
    users: 60,
    segment: (_, __, seconds) => ({ status: seconds > 600 && seconds < 660 ? 404 : 200 }),
    within: 5 * MINUTE,
  },
  {
    name: "firewall refuses one user's value",
    hours: 5,
    events: 530,
    users: 60,
    segment: ({ userId, traits }) => ({ status: userId === "user-2" && isOfEvent(traits, 0, 100) ? 403 : 200 }),
    strikes: (identity) => identity === "user-2",
    within: MINUTE,
    expects: { "isolated-failure": 100 },
  },
  {
    name: "firewall refuses a tenth",
    hours: 5,
    endsAfter: 5,
    // In so quiet a stack, health decides by chance who is dead-lettered. A message may wait until the row ends, at its last retry.
    oldest: 5 * HOUR + 12 * MINUTE,
    events: 1_200,
    users: 60,
    segment: ({ userId }) => ({ status: isShare(userId, 0.1) ? 403 : 200 }),
    strikes: (identity) => isShare(identity, 0.1),
    within: MINUTE,
    expects: { "isolated-failure": Number.POSITIVE_INFINITY },
  },
  {
    name: "quiet stack, 3 % rejected",
    hours: 5,
    endsAfter: 5,
    oldest: 4 * HOUR,
    events: 500,
    users: 100,
    byTurns: true,
    segment: ({ userId }) => ({ status: isOfThreePercent(userId) ? 400 : 200 }),
    strikes: isOfThreePercent,
    within: MINUTE,
    expects: { "isolated-failure": 9 },
    deadLetteredAfter: [3 * HOUR, 4 * HOUR],
  },
  {
    name: "endpoint answers 400 to all",
    hours: 4,
    events: 160,
    users: 15,
    segment: (_, __, seconds) => ({ status: seconds > HOUR && seconds < 3 * HOUR ? 400 : 200 }),
    within: 2 * HOUR + 30 * MINUTE,
  },
  {
    name: "400 to everybody for 26 hours",
    hours: 28,
    events: 60,
    users: 6,
    segment: (_, __, seconds) => ({ status: seconds < 26 * HOUR ? 400 : 200 }),
    within: 26 * HOUR + 30 * MINUTE,
  },
  {
    name: "one bad node",
    hours: 2,
    events: 320,
    users: 60,
    // Every fifth connection reaches the bad node.
    ownConnections: true,
    segment: ({ clientPort = 0 }) => ({ status: Math.floor(clientPort / 2) % 5 === 0 ? 400 : 200 }),
    within: 30 * MINUTE,
  },
  {
    name: "outage of six hours",
    hours: 12,
    events: 80,
    users: 10,
    segment: (_, random, seconds) => ({ status: seconds < 6 * HOUR || random() < 0.01 ? 503 : 200 }),
    within: 6 * HOUR + 30 * MINUTE,
  },
  {
    name: "four hours of outage, then 5 % of 503s",
    hours: 8,
    events: 160,
    users: 20,
    recycles: false,
    segment: (_, random, seconds) => ({ status: seconds < 4 * HOUR || random() < 0.05 ? 503 : 200 }),
    within: 4 * HOUR + 30 * MINUTE,
  },
  {
    name: "endpoint comes and goes",
    hours: 3,
    events: 80,
    users: 15,
    segment: (_, __, seconds) => ({ status: seconds < 2 * HOUR && seconds % 240 >= 60 ? 503 : 200 }),
    within: 2 * HOUR + 15 * MINUTE,
  },
  {
    name: "half of the users fail for four hours",
    hours: 6,
    events: 250,
    users: 25,
    byTurns: true,
    segment: ({ userId }, _, seconds) => ({ status: seconds < 4 * HOUR && isShare(userId, 0.5) ? 503 : 200 }),
    strikes: (identity) => isShare(identity, 0.5),
    within: MINUTE,
  },
  {
    name: "80 % of the users fail for four hours",
    hours: 6,
    events: 320,
    users: 30,
    byTurns: true,
    segment: ({ userId }, _, seconds) => ({ status: seconds < 4 * HOUR && isShare(userId, 0.8) ? 503 : 200 }),
    strikes: (identity) => isShare(identity, 0.8),
    within: MINUTE,
  },
  {
    name: "one user's 429 asks for 30 minutes",
    hours: 1,
    events: 320,
    users: 30,
    segment: ({ userId }, _, seconds) => {
      return userId === "user-0" && seconds < HOUR / 2 ? { status: 429, headers: { "retry-after": "1800" } } : OK;
    },
    strikes: (identity) => identity === "user-0",
    within: 70,
  },
  {
    name: "flood of one user",
    // The busy user sends 25 per second, and twenty other users together send one per second.
    hours: 1 / 60,
    events: 1_560,
    users: 20,
    busy: 25 / 26,
    callSeconds: 0.12,
    window: 100,
    strikes: (identity) => identity === BUSY,
    within: 5,
    withinStruck: 10,
  },
  {
    name: "flood with lost answers",
    hours: 1 / 60,
    events: 1_560,
    users: 20,
    busy: 25 / 26,
    callSeconds: 0.12,
    ...often(0.1, "reset-after"),
    ...invocation(0.003, "killed"),
    strikes: (identity) => identity === BUSY,
    // A killed invocation's messages become visible after the queue's visibility time-out.
    within: 10 * MINUTE,
    // After the first minute no other user shows that the endpoint is healthy, so a lost answer costs up to 12 minutes.
    withinStruck: 24 * HOUR,
  },
  {
    name: "partial outage",
    hours: 2,
    events: 430,
    users: 60,
    segment: (_, random, seconds) => ({ status: seconds < 1.5 * HOUR && random() < 0.3 ? 503 : 200 }),
    within: 30 * MINUTE,
  },
];

/** Returns whether a row contains a failure, and not only its traffic. */
export function hasFault({ segment, ssm, sqs, dynamodb, invocation, down, lookupFails, rotation }: Fault): boolean {
  return [segment, ssm, sqs, dynamodb, invocation, down, lookupFails, rotation].some((given) => given !== undefined);
}

/** Returns the rows of a campaign. The rows of DynamoDB are included only if the option uses the table. */
export function faultsMet(forward: "every" | "changes"): readonly Fault[] {
  return forward === "changes" ? FAULTS : FAULTS.filter(({ name }) => !name.startsWith("DynamoDB"));
}

/**
 * Returns the row for a stack that runs so many containers. Each container judges by its own attempts whether the endpoint is
 * healthy, so a row that expects dead letters needs traffic for each; its own numbers are enough for three. A user's failures are
 * spread over the containers as well, so it takes longer until one of them counts the fourth.
 */
export function forContainers(containers: number, fault: Fault): Fault {
  const { events, users, expects, oldest = 0, deadLetteredAfter: [earliest, latest] = [] } = fault;
  if (events === undefined || users === undefined || expects === undefined || containers <= 3) return fault;
  const slack = 10 * MINUTE * containers;
  const most = Object.entries(expects).map(([reason, count]) => [reason, count * containers]);
  return {
    ...fault,
    events: events * containers,
    users: users * containers,
    expects: Object.fromEntries(most),
    oldest: oldest + slack,
    ...(earliest !== undefined && latest !== undefined && { deadLetteredAfter: [earliest, latest + slack] }),
  };
}

/** Returns what contradicts the row: unexpected dead letters, too few of the expected ones, and delays that are too long. */
export function verdictOn(
  fault: Fault,
  { deadLettered, deadLetteredAfter, worstDelay, othersWorstDelay, oldestWaiting }: Findings,
): readonly string[] {
  const { expects = {}, atLeast = 1, within = Number.POSITIVE_INFINITY, oldest = 0, strikes } = fault;
  const [earliest, latest] = fault.deadLetteredAfter ?? [3 * HOUR, Number.POSITIVE_INFINITY];
  const [first, last] = deadLetteredAfter ?? [earliest, latest];
  const { withinStruck = Number.POSITIVE_INFINITY } = fault;
  const unexpected = Object.entries(deadLettered).filter(([reason, count]) => count > (Object(expects)[reason] ?? 0));
  const found = Object.keys(expects).reduce((sum, reason) => sum + (deadLettered[reason] ?? 0), 0);
  const delay = (strikes === undefined ? worstDelay : othersWorstDelay) / 1_000;
  return [
    ...unexpected.map(([reason, count]) => `${count} dead letters ${reason}`),
    ...(Object.keys(expects).length > 0 && found < atLeast ? [`${found} dead letters of those that are expected`] : []),
    ...(first < earliest || last > latest ? [`dead letters after ${Math.round(first)} to ${Math.round(last)} s`] : []),
    ...(delay > within ? [`a delay of ${Math.round(delay)} s`] : []),
    ...(worstDelay > 1_000 * withinStruck ? [`a delay of ${Math.round(worstDelay / 1_000)} s of those it is about`] : []),
    ...(oldestWaiting > 1_000 * oldest ? [`an event that waits for ${Math.round(oldestWaiting / 1_000)} s`] : []),
  ];
}
