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
  /** The queue that deliver is for. Records of other queues are not ours. */
  readonly queueArn: string;
  readonly writeKey: Pick<Parameter, "name" | "get" | "refresh" | "remedy">;
  readonly dryRun: boolean;
  readonly mergeBacklog: boolean;
  readonly segment: Pick<Segment, "send">;
  /** Option `forward: "changes"`; undefined = every evaluation is sent. */
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
  /** Whether there is time for a unit at its longest. */
  readonly hasTime: () => boolean;
  /** Set once Segment answered 429: the longest time that it asked for. Nothing more is sent. */
  slowDownSeconds: number | undefined;
}

/** A message with the call that it holds. */
export interface ReadMessage {
  readonly kind: "read";
  readonly message: ReceivedMessage;
  readonly call: IdentifyCall;
  /** Option `experiments`. */
  readonly variations: readonly Variation[];
}

/** A message of the batch, read as far as it can be. */
export type Reading = ReadMessage | { readonly kind: "unread"; readonly message: ReceivedMessage; readonly failure: Failure };

/** What is sent in one request: one message's call, or several messages' calls merged into one. */
export interface Unit {
  readonly messages: readonly [ReadMessage, ...ReadMessage[]];
  readonly call: IdentifyCall;
  readonly variations: readonly Variation[];
}

/** What became of a unit. */
export type UnitResult =
  /** `experiments`: events that were sent. `notRecorded`: Segment accepted the unit, but its fingerprints could not be added. */
  | {
      readonly kind: "delivered";
      readonly answer: SegmentAnswer;
      readonly experiments: number;
      readonly notRecorded: TableError | undefined;
    }
  | { readonly kind: "unchanged" }
  /** `call`: what would have been sent. */
  | { readonly kind: "dry-run"; readonly call: unknown }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Why a message is not settled. */
export type Failure =
  /** Segment gave another answer than 2xx, or none. */
  | { readonly kind: "not-accepted"; readonly answer: SegmentAnswer }
  /** Nothing was sent: Segment asked to slow down, or too little time was left. */
  | { readonly kind: "not-attempted"; readonly why: string; readonly askedSeconds: number }
  /** Not the endpoint's: no write key, DynamoDB, or a defect. */
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "unknown-version" }
  | { readonly kind: "unreadable"; readonly error: UnreadableMessageError };

/** Why a message is in the dead-letter queue: its attribute `reason`. */
export type DeadLetterReason = "isolated-failure" | "expired" | "unknown-version" | "unreadable-message";
