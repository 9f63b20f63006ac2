import type { Aws } from "./aws";
import { CommandError, count, type Terminal } from "./command";
import { type DeadLetterMessage, deleteDeadLetter, redriveOne, type Shown, withDeadLetters } from "./dead-letter-queue";
import { evaluationOf } from "./log-entries";
import type { LookUp } from "./newer-evaluations";
import type { Pipeline } from "./pipeline";

/** What happens to each user's dead letters. */
export interface Plan {
  /** The newest evaluation of each user, with all its parts. */
  readonly send: readonly DeadLetterMessage[];
  /** Messages that are older than another evaluation in the queue or at Segment, and second copies of a message. */
  readonly older: readonly DeadLetterMessage[];
  /** Number of users whose newest evaluation is not known, because SQS does not show all their messages. */
  readonly covered: number;
  /** Number of users for whom the log could not be read, or not far enough. */
  readonly unknown: number;
  readonly unreadable: number;
}

export function planOf({ messages, behind }: Shown, { overtaken, unknown }: LookUp): Plan {
  const send: DeadLetterMessage[] = [];
  const older: DeadLetterMessage[] = [];
  const readable = messages.filter(({ userId }) => userId !== "");
  const plan = { covered: 0, unknown: 0, unreadable: messages.length - readable.length };
  for (const userId of new Set(readable.map((message) => message.userId))) {
    const theirs = readable.filter((message) => message.userId === userId);
    const newest = theirs.reduce((one, other) => (other.receivedAt >= one.receivedAt ? other : one));
    const isNewest = ({ messageId }: DeadLetterMessage) => evaluationOf(messageId) === evaluationOf(newest.messageId);
    const isCovered = behind !== 0 && theirs.some(({ batchFull }) => batchFull);
    if (unknown.has(userId)) plan.unknown++;
    else if (isCovered) plan.covered++;
    const isSent = !unknown.has(userId) && !isCovered && !overtaken.has(newest.messageId);
    const sent = new Set<string>();
    for (const message of theirs) {
      if (!isNewest(message)) older.push(message);
      else if (sent.has(message.messageId) || overtaken.has(message.messageId)) older.push(message);
      else if (isSent) send.push(message);
      sent.add(message.messageId);
    }
  }
  return { ...plan, send, older };
}

/**
 * Reads the queue again, because the messages were not held while the operator read the question. Messages that are not in the plan stay in
 * the queue.
 */
export async function carryOut(
  aws: Aws,
  { deliver }: Pipeline,
  { send, older }: Plan,
  terminal: Terminal,
  deletesOlder: boolean,
): Promise<{ readonly sent: number; readonly deleted: number }> {
  const { queueUrl, deadLetterQueueUrl } = deliver.config;
  const idsOf = (some: readonly DeadLetterMessage[]) => new Set(some.map(({ original }) => original.MessageId));
  const [toSend, toDelete] = [idsOf(send), idsOf(deletesOlder ? older : [])];
  return withDeadLetters(aws, deadLetterQueueUrl, terminal, async ({ messages }) => {
    const counts = { sent: 0, deleted: 0 };
    for (const message of messages) {
      const id = message.original.MessageId;
      if (toSend.has(id)) {
        await redriveOne(aws, queueUrl, deadLetterQueueUrl, message);
        counts.sent++;
      } else if (toDelete.has(id)) {
        await deleteDeadLetter(aws, deadLetterQueueUrl, message);
        counts.deleted++;
      }
    }
    return counts;
  });
}

/** Which messages stay in the queue, and why. */
export function staying({ older, covered, unknown, unreadable }: Plan, deletesOlder: boolean): readonly string[] {
  return [
    deletesOlder || older.length === 0 ? "" : `${count(older.length, "older message")} stay; --delete-older deletes them`,
    covered === 0
      ? ""
      : `of ${count(covered, "user")} SQS does not show all messages, so the newest is not known; --delete-older makes it show the next`,
    unknown === 0 ? "" : `of ${count(unknown, "user")} the log was not read far enough: try again, with more --seconds`,
    unreadable === 0 ? "" : `${count(unreadable, "message")} can't be read, and stay`,
  ].filter((text) => text !== "");
}

/** @throws CommandError if messages that were not read could be newer. */
export function assertAllSeen({ heldByOthers, unread }: Shown): void {
  if (unread !== undefined) throw new CommandError("not all dead letters were read: nothing was sent again");
  if (heldByOthers === undefined) return;
  if (heldByOthers > 0) {
    throw new CommandError(`${heldByOthers} are held by another reader; try again in 2 minutes: nothing was sent again`);
  }
}
