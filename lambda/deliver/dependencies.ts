import type { Parameter } from "../adapters/parameter";
import type { Queue } from "../adapters/queue";
import type { Segment } from "../adapters/segment";
import type { Log } from "../log";
import type { Machine } from "../timing";
import type { Comparer } from "./changes";

export interface DeliverDependencies extends Machine {
  /** Of the queue that deliver is for. */
  readonly queueArn: string;
  readonly writeKey: Pick<Parameter, "name" | "get" | "refresh" | "remedy">;
  readonly dryRun: boolean;
  /** Whether many messages of one person in a batch become one call. */
  readonly mergeBacklog: boolean;
  readonly segment: Pick<Segment, "identify">;
  readonly comparer: Comparer;
  readonly queue: Pick<Queue, "setVisibility">;
  readonly deadLetterQueue: Pick<Queue, "send">;
  readonly log: Log;
}

/** What the calls of one invocation share. */
export interface Invocation {
  readonly requestId: string;
  /** Whether there is time for a call at its longest. */
  readonly hasTime: () => boolean;
  /** Set once Segment answered 429: nothing more is sent. Seconds that it asked for, 0 if it did not say. */
  slowDown: number | undefined;
  /** Set once the invocation's one second try was made. */
  secondTryMade: boolean;
}
