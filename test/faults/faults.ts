import { createHash } from "node:crypto";
import type { DynamodbBehaviour } from "../cloud/dynamodb";
import type { ArrivingCall, SegmentBehaviour } from "../cloud/segment";
import type { SqsBehaviour } from "../cloud/sqs";
import type { SsmBehaviour } from "../cloud/ssm";

type Random = () => number;

/**
 * What may happen to an invocation of deliver:
 * - `killed`: in the middle of its batch; nothing that it would still have done gets through
 * - `unreported`: killed after its work, before SQS learned of it
 * - `doubled`: the event source invokes twice at once with the same batch
 * - `undeleted`: reported, but SQS gives the messages out again
 */
export type InvocationFault = "killed" | "unreported" | "doubled" | "undeleted" | undefined;

/** One row of the campaign. What a fault does not name works as it should. */
export interface Fault {
  readonly name: string;
  readonly segment?: (call: ArrivingCall, random: Random, secondsFromStart: number) => SegmentBehaviour;
  readonly ssm?: (random: Random) => SsmBehaviour;
  readonly sqs?: (action: string, queue: string, random: Random) => SqsBehaviour;
  /** Met only with `forward: "changes"`. */
  readonly dynamodb?: (random: Random, secondsFromStart: number) => DynamodbBehaviour;
  readonly invocation?: (random: Random) => InvocationFault;
  /** Seconds from the start during which Segment's port is closed. */
  readonly down?: readonly [from: number, to: number];
  /** Share of name look-ups that fail. */
  readonly lookupFails?: number;
  /** Seconds from the start: Segment takes the new write key only, and SSM has it from then on. */
  readonly rotation?: { readonly atSegment: number; readonly atSsm: number };
  /** Milliseconds by which each container's clock is off. */
  readonly skews?: readonly number[];
  /** Seconds within which every event must be at Segment all the same. */
  readonly within?: number;
  /** Dead letters with this reason are expected. */
  readonly expects?: "rejected-by-segment" | "fails-alone";
}

const OK: SegmentBehaviour = { status: 200 };

/** One call in 8, and the same ones every time. */
const isPoison = ({ messageId }: ArrivingCall) => createHash("sha256").update(messageId).digest().readUInt8() % 8 === 0;

const poison = (status: number): Pick<Fault, "segment" | "expects"> => ({
  segment: (call) => (isPoison(call) ? { status } : OK),
  expects: "rejected-by-segment",
});

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

const HOUR = 3_600_000;

const FAULTS: readonly Fault[] = [
  { name: "none" },
  { name: "Segment 400", ...poison(400) },
  { name: "Segment 401 until the key is set", rotation: { atSegment: 1, atSsm: 121 } },
  { name: "Segment 408", ...often(0.2, { status: 408 }) },
  { name: "Segment 429, Retry-After", ...often(0.1, { status: 429, headers: { "retry-after": "20" } }) },
  {
    name: "Segment 429, X-RateLimit-Reset",
    ...often(0.1, { status: 429, headers: { "x-ratelimit-reset": "9" } }),
  },
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
  { name: "DNS failure", lookupFails: 0.3 },
  { name: "SSM throttled", ...ssm(0.6, "throttled") },
  { name: "SSM denied", ...ssm(0.6, "denied") },
  { name: "SSM hanging", ...ssm(0.3, "hanging") },
  { name: "SQS send throttled", ...sqs(0.3, "SendMessageBatch", "throttled") },
  { name: "SQS send 500", ...sqs(0.3, "SendMessageBatch", "error") },
  { name: "SQS send stored, answer lost", ...sqs(0.1, "SendMessageBatch", "lost-answer") },
  {
    name: "SQS schedule fails",
    ...often(0.2, { status: 500 }),
    ...sqs(0.5, "ChangeMessageVisibilityBatch", "error"),
  },
  { name: "deliver killed in mid-batch", ...invocation(0.2, "killed") },
  { name: "deliver killed before it reports", ...invocation(0.2, "unreported") },
  { name: "batch delivered twice at once", ...invocation(0.2, "doubled") },
  { name: "message given out again", ...invocation(0.2, "undeleted") },
  {
    name: "dead-letter queue unreachable",
    ...poison(400),
    sqs: (_, queue, random) => (queue === "dead-letters.fifo" && random() < 0.7 ? "error" : undefined),
  },
  { name: "clocks an hour off", ...often(0.2, { status: 500 }), skews: [0, HOUR, -HOUR] },
  { name: "DynamoDB throttled", dynamodb: (random) => (random() < 0.3 ? "throttled" : undefined) },
  {
    name: "DynamoDB down for an hour",
    dynamodb: (_, seconds) => (seconds < 3_600 ? "throttled" : undefined),
    within: 30 * 60,
  },
  { name: "DynamoDB hanging", dynamodb: (random) => (random() < 0.1 ? "hanging" : undefined) },
  { name: "DynamoDB answer lost", dynamodb: (random) => (random() < 0.1 ? "lost-answer" : undefined) },
  {
    name: "all at once",
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
    skews: [0, HOUR, -HOUR],
    expects: "rejected-by-segment",
  },
];

/** The rows of a campaign; those of DynamoDB only where the option makes use of it. */
export function faultsMet(forward: "every" | "changes"): readonly Fault[] {
  return forward === "changes" ? FAULTS : FAULTS.filter(({ name }) => !name.startsWith("DynamoDB"));
}
