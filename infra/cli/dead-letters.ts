import { hashIdentity } from "../../lambda/identify-call";
import { AWS_OPTIONS, type Aws, connect } from "./aws";
import { messagesIn } from "./checks/queues";
import { type Command, CommandError, count, parse, type Terminal, table, UsageError } from "./command";
import { type DeadLetterMessage, deleteDeadLetter, MOST, redrive, withDeadLetters } from "./dead-letter-queue";
import { evaluationOf, findLines, personTerm } from "./log-lines";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline } from "./pipeline";

/** Lists what was given up, and sends it again or deletes it. */
export const deadLetters: Command = {
  usage: "dead-letters [--show] [--redrive | --delete <messageId>] [--yes] [--json]",
  help: `  --show             with trait values and plain user ids
  --redrive          sends all of them again, after a question
  --delete <id>      deletes all copies of one message for good, after a question
  --yes              answers the question, where nobody can
Listing hides nothing: what was read is visible again afterwards. Of one person SQS shows at most 10 messages.`,
  run: async (args, terminal) => {
    const { values } = parse(args, {
      ...AWS_OPTIONS,
      ...PIPELINE_OPTIONS,
      show: { type: "boolean" },
      redrive: { type: "boolean" },
      delete: { type: "string" },
      yes: { type: "boolean" },
      json: { type: "boolean" },
    });
    if (values.delete === "") throw new UsageError("--delete: a messageId is needed");
    if (values.redrive === true && values.delete !== undefined) throw new UsageError("--redrive or --delete, not both");
    const aws = await connect(values, terminal);
    const pipeline = await findPipeline(aws, values);
    // Beside JSON, standard output has nothing.
    const told = values.json === true ? { ...terminal, print: terminal.progress } : terminal;
    if (values.delete !== undefined) await deleteAll(aws, pipeline, values.delete, told, values.yes);
    else {
      await list(aws, pipeline, terminal, values);
      if (values.redrive === true) await redriveAll(aws, pipeline, told, values.yes);
    }
    return 0;
  },
};

interface ListOptions {
  readonly show?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly redrive?: boolean | undefined;
}

async function list(aws: Aws, pipeline: Pipeline, terminal: Terminal, options: ListOptions): Promise<void> {
  const { print, progress } = terminal;
  const { deadLetterQueueUrl } = pipeline.deliver.config;
  const hidden = pipeline.receive.config.logUserId === "hashed" && options.show !== true;
  progress("reading the dead-letter queue");
  const messages = await withDeadLetters(aws, deadLetterQueueUrl, async (found) => found);
  const newer = options.redrive === true ? await overtaken(aws, pipeline, messages, progress) : new Set<string>();
  const rows = messages.map((message) => {
    const { messageId, reason, status, userId, bytes, receivedAt, traits } = message;
    const about = { messageId, reason, status, userId: hidden && userId !== "" ? hashIdentity(userId) : userId, bytes };
    const redriven = options.redrive === true ? { overtaken: newer.has(messageId) ? "yes" : "" } : {};
    return { ...about, receivedAt: new Date(receivedAt).toISOString(), ...redriven, ...(options.show ? { traits } : {}) };
  });
  const say = options.json === true ? progress : print;
  if (options.json === true) print(JSON.stringify(rows, undefined, 2));
  else if (rows.length > 0)
    print(
      table(
        Object.keys(rows[0] ?? {}).map(titleOf),
        rows.map((row) => Object.values(row).map(textOf)),
      ),
    );
  const all = await messagesIn(aws, deadLetterQueueUrl);
  const behind = all > messages.length ? `, ${all - messages.length} more behind them` : "";
  const bounded = messages.length >= MOST ? `; only the first ${MOST} are listed` : "";
  say(`${count(messages.length, "dead letter")}${behind}${bounded}`);
  const older = messages.filter(({ messageId }) => newer.has(messageId)).length;
  if (older > 0) {
    say(
      `${older} of them are older than what Segment has of the same person: a redrive sets those traits back until the next evaluation`,
    );
  }
}

const titleOf = (name: string) => (name === "receivedAt" ? "evaluated" : name);
const textOf = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** People whose newer evaluations are looked for: each takes a search of the log. */
const MOST_PEOPLE = 50;

/** Events after which Segment has the evaluation. */
const AT_SEGMENT = ["delivered", "merged", "unchanged"];

/** Ids of the messages after which a newer evaluation of the same person reached Segment, as far as the logs go back. */
async function overtaken(
  aws: Aws,
  pipeline: Pipeline,
  messages: readonly DeadLetterMessage[],
  progress: Terminal["progress"],
): Promise<ReadonlySet<string>> {
  const readable = messages.filter(({ userId }) => userId !== "");
  const people = new Set(readable.map(({ userId }) => userId));
  const found = new Set<string>();
  const searched = count(Math.min(people.size, MOST_PEOPLE), "person", "people");
  progress(`searching the logs for newer evaluations of ${searched}`);
  if (people.size > MOST_PEOPLE) progress(`${people.size - MOST_PEOPLE} more people are not searched for`);
  for (const userId of [...people].slice(0, MOST_PEOPLE)) {
    const theirs = readable.filter((message) => message.userId === userId);
    const oldest = Math.min(...theirs.map(({ receivedAt }) => receivedAt));
    const lines = await findLines(aws, pipeline, [personTerm(pipeline, userId)], oldest);
    // Lines of deliver are written when its whole batch is done, so they do not tell which evaluation is newer.
    const accepted = lines.filter(({ fields }) => fields.event === "accepted");
    const queuedAt = new Map(accepted.map(({ at, fields }) => [evaluationOf(fields.messageId), at]));
    const taken = lines.filter(({ fields: { event } }) => AT_SEGMENT.includes(String(event)));
    const newest = Math.max(...taken.map(({ fields }) => queuedAt.get(evaluationOf(fields.messageId)) ?? 0));
    for (const { messageId, receivedAt } of theirs) {
      if (newest > (queuedAt.get(evaluationOf(messageId)) ?? receivedAt)) found.add(messageId);
    }
  }
  return found;
}

async function redriveAll(aws: Aws, pipeline: Pipeline, terminal: Terminal, yes = false): Promise<void> {
  const { queueArn, deadLetterQueueUrl } = pipeline.deliver.config;
  if ((await messagesIn(aws, deadLetterQueueUrl)) === 0) return;
  if (!(await agreed(terminal, yes, "Send all of them to Segment again?"))) return terminal.print("nothing was sent again");
  terminal.progress("redriving; SQS needs some seconds");
  const moved = await redrive(aws, queueArn, deadLetterQueueUrl);
  terminal.print(`back in the queue: ${count(moved, "message")}`);
}

async function deleteAll(aws: Aws, pipeline: Pipeline, id: string, terminal: Terminal, yes = false): Promise<void> {
  const { deadLetterQueueUrl } = pipeline.deliver.config;
  const copiesOf = (found: readonly DeadLetterMessage[]) => found.filter(({ messageId }) => messageId === id);
  const found = await withDeadLetters(aws, deadLetterQueueUrl, async (messages) => messages);
  const { length } = copiesOf(found);
  if (length === 0) {
    throw new CommandError(`no message ${id} among the ${found.length} that SQS shows; dead-letters lists them with their ids`);
  }
  const question = `Delete ${id} for good, ${count(length, "copy", "copies")}?`;
  if (!(await agreed(terminal, yes, question))) return terminal.print("nothing was deleted");
  // Read again: whoever thinks for minutes holds nothing meanwhile.
  const deleted = await withDeadLetters(aws, deadLetterQueueUrl, async (messages) => {
    const copies = copiesOf(messages);
    for (const copy of copies) await deleteDeadLetter(aws, deadLetterQueueUrl, copy);
    return copies.length;
  });
  const told = `deleted ${id}: ${count(deleted, "copy", "copies")}`;
  if (deleted < length) throw new CommandError(`${told} of ${length}; somebody else reads the queue, try again in two minutes`);
  terminal.print(told);
}

/** @throws CommandError where nobody can answer. */
async function agreed({ confirm }: Terminal, yes: boolean, question: string): Promise<boolean> {
  if (yes) return true;
  const answer = await confirm(question);
  if (answer === undefined) throw new CommandError(`${question} Nobody can answer here: add --yes`);
  return answer;
}
