import type { Aws } from "./aws";
import { CommandError, count, type Terminal } from "./command";
import { type DeadLetterMessage, deleteDeadLetter, type Shown, withDeadLetters } from "./dead-letter-queue";
import { redriveAll } from "./move-task";
import { type LookUp, lookUpNewer } from "./newer-evaluations";
import type { Pipeline } from "./pipeline";
import { assertAllSeen, carryOut, type Plan, planOf, staying } from "./redrive-newest";

export interface Context {
  readonly aws: Aws;
  readonly pipeline: Pipeline;
  readonly terminal: Terminal;
  readonly yes: boolean;
  readonly seconds: number;
}

/** Sends all dead letters again with SQS's own redrive. */
export async function redrive({ aws, pipeline, terminal, yes }: Context, shown: Shown, { unknown }: LookUp): Promise<void> {
  assertAllSeen(shown);
  const { messages, behind, heldByOthers } = shown;
  if (messages.length === 0 && behind === 0) return;
  const unchecked = [
    behind === undefined || heldByOthers === undefined
      ? "How many lie behind them, or are held by another reader, is not known. "
      : "",
    behind ? `${behind} behind them were not checked for newer evaluations. ` : "",
    unknown.size > 0 ? `The messages of ${count(unknown.size, "user")} were not checked for newer evaluations. ` : "",
  ].join("");
  if (unchecked !== "") terminal.print(unchecked.trim());
  if (!(await agreed(terminal, yes, `${unchecked}Send all of them to Segment again?`))) {
    return terminal.print("nothing was sent again");
  }
  terminal.progress("redriving; SQS needs some seconds");
  const { queueArn, deadLetterQueueUrl } = pipeline.deliver.config;
  const moved = await redriveAll(aws, queueArn, deadLetterQueueUrl);
  terminal.print(`back in the queue: ${count(moved, "message")}`);
}

/** With `deletesOlder` it works in rounds, because SQS shows a user's next messages only after the ones before them were deleted. */
export async function redriveNewest(context: Context, first: Shown, firstLookUp: LookUp, deletesOlder: boolean): Promise<void> {
  const { aws, pipeline, terminal, yes, seconds } = context;
  let [shown, lookUp] = [first, firstLookUp];
  const total = { sent: 0, deleted: 0 };
  for (let round = 1; ; round++) {
    // SQS's counts lag: they still show the messages of the last round as held. So later rounds ignore them.
    assertAllSeen(round === 1 ? shown : { ...shown, heldByOthers: 0 });
    const plan = planOf(shown, lookUp);
    if (round === 1 && !(await agreed(terminal, yes, questionOf(plan, deletesOlder)))) {
      return terminal.print("nothing was sent again");
    }
    const { sent, deleted } = await carryOut(aws, pipeline, plan, terminal, deletesOlder);
    total.sent += sent;
    total.deleted += deleted;
    if (plan.covered === 0 || deleted === 0) {
      const deletedText = deletesOlder ? `; deleted: ${count(total.deleted, "message")}` : "";
      terminal.print(`back in the queue: ${count(total.sent, "message")}${deletedText}`);
      return staying(plan, deletesOlder).forEach(terminal.print);
    }
    shown = await withDeadLetters(aws, pipeline.deliver.config.deadLetterQueueUrl, terminal, async (found) => found);
    lookUp = await lookUpNewer(aws, pipeline, shown.messages, { terminal, deadlineMs: Date.now() + seconds * 1_000 });
  }
}

function questionOf({ send, older, covered }: Plan, deletesOlder: boolean): string {
  const users = new Set(send.map(({ userId }) => userId)).size;
  const more = deletesOlder && covered > 0 ? ", and in further rounds what lies behind them" : "";
  const deletes = deletesOlder ? ` Delete ${count(older.length, "older message")} permanently${more}?` : "";
  return `Send the newest of ${count(users, "user")} to Segment again, ${count(send.length, "message")}?${deletes}`;
}

/** Deletes all copies of one message. */
export async function deleteAll({ aws, pipeline, terminal, yes }: Context, id: string): Promise<void> {
  const { deadLetterQueueUrl } = pipeline.deliver.config;
  const copiesOf = (found: readonly DeadLetterMessage[]) => found.filter(({ messageId }) => messageId === id);
  const found = await withDeadLetters(aws, deadLetterQueueUrl, terminal, async (shown) => shown);
  const { length } = copiesOf(found.messages);
  if (length === 0) {
    if (found.unread !== undefined) throw found.unread;
    const held = found.heldByOthers ? `; ${found.heldByOthers} are held by another reader; try again in 2 minutes` : "";
    const among = `no message ${id} among the ${found.messages.length} that SQS shows`;
    throw new CommandError(`${among}; dead-letters lists them with their ids${held}`);
  }
  const question = `Delete ${id} permanently, ${count(length, "copy", "copies")}?`;
  if (!(await agreed(terminal, yes, question))) return terminal.print("nothing was deleted");
  // The queue is read again, because the messages are not held while the operator reads the question.
  const deleted = await withDeadLetters(aws, deadLetterQueueUrl, terminal, async ({ messages }) => {
    const copies = copiesOf(messages);
    for (const copy of copies) await deleteDeadLetter(aws, deadLetterQueueUrl, copy);
    return copies.length;
  });
  const result = `deleted ${id}: ${count(deleted, "copy", "copies")}`;
  if (deleted < length) throw new CommandError(`${result} of ${length}; another reader holds the rest, try again in 2 minutes`);
  terminal.print(result);
}

/** @throws CommandError if no one can answer the question. */
async function agreed({ confirm }: Terminal, yes: boolean, question: string): Promise<boolean> {
  if (yes) return true;
  const answer = await confirm(question);
  if (answer === undefined) throw new CommandError(`${question} Nobody can answer here: add --yes`);
  return answer;
}
