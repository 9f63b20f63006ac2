/** List prices of us-east-1, on demand, in dollars; November 2026, without free tiers. */
export const PRICES = {
  httpApiPerMillion: 1.0,
  lambdaPerMillion: 0.2,
  /** arm64. */
  lambdaPerGbSecond: 0.0000133334,
  sqsFifoPerMillion: 0.5,
  logsPerGb: 0.5,
  dynamodbReadPerMillion: 0.125,
  dynamodbWritePerMillion: 0.625,
} as const;

export interface Workload {
  readonly eventsPerSecond: number;
  readonly forward: "every" | "changes";
  /** Milliseconds that an invocation of receive lasts on average, waiting included. */
  readonly receiveMs: number;
  /** Milliseconds for a batch of deliver: Segment's answer, mostly. */
  readonly deliverMs: number;
}

/** Of 10 evaluations, those that tell Segment nothing new. */
const UNCHANGED = 0.9;
const RECEIVE_GB = 0.5;
const DELIVER_GB = 0.25;
/** Milliseconds that a batch waits for DynamoDB, reading and writing. */
const DYNAMODB_MS = 10;
/** Bytes of log: the outcome lines of both functions, API Gateway's access line, and Lambda's own three of an invocation. */
const OUTCOME_LINE = 400;
const ACCESS_LINE = 300;
const PLATFORM_LINES = 345;
/** Messages that SQS hands out at once. */
const MAX_BATCH = 10;
/** Lambda's five pollers wait 20 seconds each while nothing comes. */
const POLLS_PER_SECOND = 5 / 20;

export interface Cost {
  readonly api: number;
  readonly lambda: number;
  readonly sqs: number;
  readonly logs: number;
  readonly dynamodb: number;
  readonly total: number;
}

/** Dollars for a million events. */
export function costPerMillion(load: Workload): Cost {
  const million = 1_000_000;
  // A batch is what came in while the last one was on its way.
  const batch = Math.min(MAX_BATCH, Math.max(1, (load.eventsPerSecond * load.deliverMs) / 1_000));
  const batches = million / batch;
  const sent = load.forward === "changes" ? 1 - UNCHANGED : 1;
  // A batch lasts as long as Segment's answer if at least one of its calls is sent.
  const waiting = 1 - (1 - sent) ** batch;
  const deliverMs = waiting * load.deliverMs + (load.forward === "changes" ? DYNAMODB_MS : 0);
  const gbMs = million * load.receiveMs * RECEIVE_GB + batches * deliverMs * DELIVER_GB;
  const lambda =
    ((million + batches) / million) * PRICES.lambdaPerMillion + (gbMs / 1_000) * PRICES.lambdaPerGbSecond;
  // One send an event, one receive and one delete a batch, and what is polled in vain.
  const requests = million + 2 * batches + (million / load.eventsPerSecond) * POLLS_PER_SECOND;
  const sqs = (requests / million) * PRICES.sqsFifoPerMillion;
  const logBytes = million * (2 * OUTCOME_LINE + ACCESS_LINE + PLATFORM_LINES) + batches * PLATFORM_LINES;
  const logs = (logBytes / 1e9) * PRICES.logsPerGb;
  const dynamodb =
    load.forward === "changes" ? PRICES.dynamodbReadPerMillion + sent * PRICES.dynamodbWritePerMillion : 0;
  const api = PRICES.httpApiPerMillion;
  return { api, lambda, sqs, logs, dynamodb, total: api + lambda + sqs + logs + dynamodb };
}

/** A function of 512 MB has 0.29 of a core. */
const CPU_SHARE = 512 / 1_769;
/** Milliseconds that SQS takes to answer, and Segment. */
const SQS_MS = 8;
const SEGMENT_MS = 120;

/**
 * The README's table: ours and the SDK variant, which differ in the CPU of receive. `warm` = CPU milliseconds of a webhook on
 * the measuring machine, by variant.
 */
export function costTable(warm: Readonly<Record<string, number>>): readonly string[] {
  const rows = [1, 100, 1_000].flatMap((eventsPerSecond) =>
    (["every", "changes"] as const).map((forward) => {
      const of = (variant: string) =>
        costPerMillion({
          eventsPerSecond,
          forward,
          receiveMs: SQS_MS + (warm[variant] ?? Number.NaN) / CPU_SHARE,
          deliverMs: SEGMENT_MS,
        });
      const ours = of("receive");
      const cells = [ours.api, ours.lambda, ours.sqs, ours.logs, ours.dynamodb, ours.total, of("sdk").total];
      return `| ${eventsPerSecond} | ${forward} | ${cells.map((dollars) => dollars.toFixed(2)).join(" | ")} |`;
    }),
  );
  return [
    "| events/s | forward | API | Lambda | SQS | logs | DynamoDB | in all | with the SDK |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows,
  ];
}
