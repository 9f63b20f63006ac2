import type { DeliveredRecords } from "../adapters/delivered-table";
import type { Parameter } from "../adapters/parameter";
import type { Queue, ReceivedMessage } from "../adapters/queue";
import type { Segment, SegmentAnswer } from "../adapters/segment";
import type { TableError, UnreadableMessageError } from "../errors";
import type { Variation } from "../experiments";
import type { IdentifyCall } from "../identify-call";
import type { Log } from "../log";
import type { Machine } from "../timing";

export interface DeliverDependencies extends Machine {
  /** Deliver's queue. Records of other queues are not processed. */
  readonly queueArn: string;
  readonly writeKey: Pick<Parameter, "name" | "get" | "refresh" | "remedy">;
  readonly dryRun: boolean;
  readonly mergeBacklog: boolean;
  readonly segment: Pick<Segment, "send">;
  /** Option `forward: "changes"`. undefined = every evaluation is sent. */
  readonly changes: ChangesDependencies | undefined;
  readonly queue: Pick<Queue, "setVisibility">;
  readonly deadLetterQueue: Pick<Queue, "send">;
  readonly log: Log;
}

export interface ChangesDependencies {
  readonly records: DeliveredRecords;
  /** Segment's base URL. */
  readonly endpoint: string;
  /** Age from which an unchanged trait is sent again. */
  readonly refreshSeconds: number;
}

/** What the units of one invocation share. */
export interface Invocation extends DeliverDependencies {
  readonly requestId: string;
  /** Whether there is time for the longest possible unit. */
  readonly hasTime: () => boolean;
  /** The longest wait that Segment asked for with a 429. If it is set, nothing more is sent. */
  slowDownSeconds: number | undefined;
}

/** A message and its call. */
export interface ReadMessage {
  readonly kind: "read";
  readonly message: ReceivedMessage;
  readonly call: IdentifyCall;
  /** Option `experiments`. */
  readonly variations: readonly Variation[];
}

/** A message of the batch. It is unread if its call can't be read. */
export type Reading = ReadMessage | { readonly kind: "unread"; readonly message: ReceivedMessage; readonly failure: Failure };

/** The content of one request: one message's call, or several messages' calls merged into one. */
export interface Unit {
  readonly messages: readonly [ReadMessage, ...ReadMessage[]];
  readonly call: IdentifyCall;
  readonly variations: readonly Variation[];
}

/** Result of an attempt at a unit. */
export type UnitResult =
  /** `experiments`: number of events that were sent. `notRecorded`: Segment accepted the unit, but its fingerprints could not be added. */
  | {
      readonly kind: "delivered";
      readonly answer: SegmentAnswer;
      readonly experiments: number;
      readonly notRecorded: TableError | undefined;
    }
  | { readonly kind: "unchanged" }
  /** `call`: the request's body, which was not sent. */
  | { readonly kind: "dry-run"; readonly call: unknown }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Why a message is not settled. */
export type Failure =
  /** Segment did not answer 2xx, or did not answer. */
  | { readonly kind: "not-accepted"; readonly answer: SegmentAnswer }
  /** Nothing was sent: Segment asked to slow down, or too little time was left. */
  | { readonly kind: "not-attempted"; readonly why: string; readonly askedSeconds: number }
  /** The endpoint is not the cause: there is no write key, DynamoDB failed, or the code has a defect. */
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "unknown-version" }
  | { readonly kind: "unreadable"; readonly error: UnreadableMessageError };

/** Why a message is dead-lettered: its attribute `reason`. */
export type DeadLetterReason = "isolated-failure" | "expired" | "unknown-version" | "unreadable-message";
