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
  /** Transfer to the internet. */
  transferPerGb: 0.09,
} as const;

export interface Workload {
  readonly eventsPerSecond: number;
  readonly forward: "every" | "changes";
  /** Average milliseconds of an invocation of receive, with the time that it waits. */
  readonly receiveMs: number;
  /** Milliseconds until Segment's answer. */
  readonly deliverMs: number;
  /** Milliseconds of deliver's own work on a message. */
  readonly deliverCpuMs: number;
}

/** The share of evaluations that change nothing in Segment. */
const UNCHANGED = 0.9;
const RECEIVE_GB = 0.5;
const DELIVER_GB = 0.25;
/** Milliseconds that a batch waits for DynamoDB's reads and writes. Their CPU is not counted: it costs half a cent. */
const DYNAMODB_MS = 10;
/** Bytes of log: an entry of receive, of deliver and of API Gateway, and the three lines that Lambda itself writes per invocation. */
const RECEIVE_ENTRY = 335;
const DELIVER_ENTRY = 385;
const ACCESS_ENTRY = 200;
const PLATFORM_LINES = 345;
/** Bytes of a call to Segment with 10 traits, including head and TLS, and of a response to Flagsmith. */
const CALL = 800;
const ANSWER = 350;
/** Messages of a batch, and concurrent invocations of deliver: the defaults of the stack. */
const MAX_BATCH = 10;
const CONCURRENCY = 10;
/** Lambda's five pollers wait 20 seconds each while the queue is empty. */
const POLLS_PER_SECOND = 5 / 20;

export interface Cost {
  readonly api: number;
  readonly lambda: number;
  readonly sqs: number;
  readonly logs: number;
  readonly dynamodb: number;
  readonly transfer: number;
  readonly total: number;
}

/** Milliseconds that a batch lasts. It waits for Segment's answer if at least one of its calls is sent. */
function durationOf({ forward, deliverMs }: Workload, batch: number): number {
  if (forward === "every") return deliverMs;
  return (1 - UNCHANGED ** batch) * deliverMs + DYNAMODB_MS;
}

/** Messages per batch. SQS does not wait until a batch is full, so the messages in flight are spread over all invocations. */
function steadyBatch(load: Workload): number {
  let batch = 1;
  for (let round = 0; round < 50; round++) {
    const inFlight = (load.eventsPerSecond * durationOf(load, batch)) / 1_000;
    batch = Math.min(MAX_BATCH, Math.max(1, inFlight / CONCURRENCY));
  }
  return batch;
}

/** Dollars per million evaluations. Cold starts and Lambda's rounding up to whole milliseconds are not counted: less than a cent. */
export function costPerMillion(load: Workload): Cost {
  const million = 1_000_000;
  const batch = steadyBatch(load);
  const batches = million / batch;
  const sent = load.forward === "changes" ? 1 - UNCHANGED : 1;
  const deliverMs = durationOf(load, batch) + batch * load.deliverCpuMs;
  const gbMs = million * load.receiveMs * RECEIVE_GB + batches * deliverMs * DELIVER_GB;
  const lambda = ((million + batches) / million) * PRICES.lambdaPerMillion + (gbMs / 1_000) * PRICES.lambdaPerGbSecond;
  // One send per evaluation, one receive and one delete per batch, and the polls of an empty queue.
  const requests = million + 2 * batches + (million / load.eventsPerSecond) * POLLS_PER_SECOND;
  const sqs = (requests / million) * PRICES.sqsFifoPerMillion;
  const logBytes = million * (RECEIVE_ENTRY + DELIVER_ENTRY + ACCESS_ENTRY + PLATFORM_LINES) + batches * PLATFORM_LINES;
  const logs = (logBytes / 1e9) * PRICES.logsPerGb;
  // One read per message. For a call that is sent, fingerprints are removed before it and added after it.
  const dynamodb = load.forward === "changes" ? PRICES.dynamodbReadPerMillion + 2 * sent * PRICES.dynamodbWritePerMillion : 0;
  const api = PRICES.httpApiPerMillion;
  const transfer = ((million * (sent * CALL + ANSWER)) / 1e9) * PRICES.transferPerGb;
  const total = api + lambda + sqs + logs + dynamodb + transfer;
  return { api, lambda, sqs, logs, dynamodb, transfer, total };
}

/** Gigabytes of memory for which Lambda gives a function a whole core. */
const CORE_GB = 1.769;
/** Milliseconds until SQS answers, and until Segment answers. */
const SQS_MS = 8;
const SEGMENT_MS = 120;

/** Milliseconds of CPU on the measuring machine: of a webhook, by variant, and of one message in deliver. */
export interface Measured {
  readonly warm: Readonly<Record<string, number>>;
  readonly deliver: number;
}

/** Adds a variant's measured CPU to a load. */
export function workloadOf(
  load: Pick<Workload, "eventsPerSecond" | "forward">,
  { warm, deliver }: Measured,
  variant: string,
): Workload {
  return {
    ...load,
    receiveMs: SQS_MS + ((warm[variant] ?? Number.NaN) * CORE_GB) / RECEIVE_GB,
    deliverMs: SEGMENT_MS,
    deliverCpuMs: (deliver * CORE_GB) / DELIVER_GB,
  };
}

/** One row per load, with all services, and the total of the SDK variant, which differs in receive's CPU. */
export function costTable(measured: Measured): readonly string[] {
  const rows = [1, 10, 100].flatMap((eventsPerSecond) =>
    (["every", "changes"] as const).map((forward) => {
      const of = (variant: string) => costPerMillion(workloadOf({ eventsPerSecond, forward }, measured, variant));
      const { api, lambda, sqs, logs, dynamodb, transfer, total } = of("receive");
      const cells = [api, lambda, sqs, logs, dynamodb, transfer, total, of("sdk").total];
      return `| ${eventsPerSecond} | ${forward} | ${cells.map((dollars) => dollars.toFixed(2)).join(" | ")} |`;
    }),
  );
  return [
    "| per second | forward | API | Lambda | SQS | logs | DynamoDB | transfer | total | with the SDK |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...rows,
  ];
}

/** Dollars for milliseconds of CPU of receive on the measuring machine. With less memory, the same work lasts longer and costs the same. */
export function lambdaDollars(cpuMs: number): number {
  return ((cpuMs * CORE_GB) / 1_000) * PRICES.lambdaPerGbSecond;
}
