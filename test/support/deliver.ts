import type { SQSRecord } from "aws-lambda";
import { type DeliverHandler, deliverHandler } from "../../lambda/deliver/deliver";
import type { DeliverDependencies } from "../../lambda/deliver/invocation";
import { TIMING } from "../../lambda/timing";
import { ATTRIBUTES, NOON, QUEUE_ARN, queueEvent } from "../cloud/events";
import { FakeParameter, FakeQueue, FakeRecords, FakeSegment, RecordingLog } from "./fakes";
import { machine } from "./machine";

interface Fakes {
  readonly writeKey: FakeParameter;
  readonly segment: FakeSegment;
  readonly queue: FakeQueue;
  readonly deadLetterQueue: FakeQueue;
  readonly log: RecordingLog;
}

/** Deliver's dependencies as fakes in which everything works. */
function working(): Omit<DeliverDependencies, keyof Fakes> & Fakes {
  return {
    ...machine(),
    queueArn: QUEUE_ARN,
    dryRun: false,
    mergeBacklog: true,
    writeKey: new FakeParameter(["key", "not used"]),
    segment: new FakeSegment(),
    changes: undefined,
    queue: new FakeQueue(),
    deadLetterQueue: new FakeQueue(),
    log: new RecordingLog(),
  };
}

export function deliverDependencies<Given extends Partial<DeliverDependencies>>(overrides: Given) {
  return { ...working(), ...overrides };
}

/** Option `forward: "changes"`, with a refresh after an hour. */
export const changesOf = (records = new FakeRecords()) => ({ records, endpoint: "https://s", refreshSeconds: 3_600 });

/** The attributes of a message in which the user's variation of the experiment `checkout` is this one. */
export const withVariation = (checkout: string) => {
  return { ...ATTRIBUTES, experiments: { DataType: "String", StringValue: JSON.stringify({ checkout }) } };
};

/** Sets up deliver with its fakes, 250 ms after NOON. `deliver` returns the ids of the messages that stay in the queue. */
export function setUpDeliver<Given extends Partial<DeliverDependencies> = object>(overrides: Given = {} as Given) {
  const clock = { nowMs: NOON + 250, timeLeftMs: Number(TIMING.deliverFunctionMs) };
  const deps = deliverDependencies({ now: () => clock.nowMs, ...overrides });
  const handler = deliverHandler(deps);
  const invoke = (event: unknown) => failuresOf(handler, event, () => clock.timeLeftMs);
  const deliver = (...records: readonly SQSRecord[]) => invoke(queueEvent(...records));
  return { ...deps, clock, invoke, deliver };
}

async function failuresOf(handler: DeliverHandler, event: unknown, timeLeftMs: () => number): Promise<readonly string[]> {
  const { batchItemFailures } = await handler(event, { awsRequestId: "invocation-1", getRemainingTimeInMillis: timeLeftMs });
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}
