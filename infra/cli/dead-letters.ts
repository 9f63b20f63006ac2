import { hashIdentity } from "../../lambda/identify-call";
import { AWS_OPTIONS, type Aws, connect } from "./aws";
import {
  type Command,
  CommandError,
  count,
  DEFAULT_SECONDS,
  parse,
  positive,
  type Terminal,
  table,
  UsageError,
} from "./command";
import { type DeadLetterMessage, deleteDeadLetter, MOST, type Shown, withDeadLetters } from "./dead-letter-queue";
import { explain, missingRight } from "./explain";
import { redriveAll } from "./move-task";
import { type LookUp, lookUpNewer } from "./newer-evaluations";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline } from "./pipeline";
import { assertAllSeen, carryOut, type Plan, planOf, staying } from "./redrive-newest";

const OPTIONS = {
  ...AWS_OPTIONS,
  ...PIPELINE_OPTIONS,
  show: { type: "boolean" },
  redrive: { type: "boolean" },
  newest: { type: "boolean" },
  "delete-older": { type: "boolean" },
  delete: { type: "string" },
  seconds: { type: "string", default: String(DEFAULT_SECONDS) },
  yes: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** Lists dead letters, and sends them again or deletes them. */
export const deadLetters: Command = {
  usage: "dead-letters [--show] [--redrive [--newest [--delete-older]] | --delete <messageId>] [--seconds 60] [--yes] [--json]",
  help: `  --show             with trait values and plain user ids
  --redrive          sends all of them again, after a question; says first which are older than what Segment has
  --newest           with --redrive: only the newest of each user, and none that is older than what Segment has; the others stay
  --delete-older     with --newest: deletes what a newer dead letter, or a newer call at Segment, replaces
  --delete <id>      deletes all copies of one message permanently, after a question
  --seconds <n>      how long the log is searched for newer evaluations; default ${DEFAULT_SECONDS}
  --yes              answers the question, where nobody can
  --json             an array of { messageId, reason, status, userId, bytes, receivedAt, overtaken?, traits? }; overtaken is
                     yes, unknown or empty
Listing hides nothing: what was read is visible again afterwards. Of one user SQS shows at most 10 messages.`,
  run: async (args, terminal) => {
    const { values } = parse(args, OPTIONS);
    if (values.delete === "") throw new UsageError("--delete: a messageId is needed");
    if (values.redrive === true && values.delete !== undefined) throw new UsageError("--redrive or --delete, not both");
    if (values.newest === true && values.redrive !== true) throw new UsageError("--newest: needs --redrive");
    if (values["delete-older"] === true && values.newest !== true) throw new UsageError("--delete-older: needs --newest");
    const seconds = positive("seconds", values.seconds);
    const aws = await connect(values, terminal);
    const pipeline = await findPipeline(aws, values);
    // Beside JSON, standard output has nothing.
    const told = values.json === true ? { ...terminal, print: terminal.progress } : terminal;
    const context: Context = { aws, pipeline, terminal: told, yes: values.yes === true, seconds };
    if (values.delete !== undefined) await deleteAll(context, values.delete);
    else {
      const { shown, lookUp } = await list(context, terminal.print, values);
      if (values.newest === true) await redriveNewest(context, shown, lookUp, values["delete-older"] === true);
      else if (values.redrive === true) await redrive(context, shown, lookUp);
    }
    return 0;
  },
};

interface Context {
  readonly aws: Aws;
  readonly pipeline: Pipeline;
  readonly terminal: Terminal;
  readonly yes: boolean;
  readonly seconds: number;
}

interface ListOptions {
  readonly show?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly redrive?: boolean | undefined;
}

const NO_LOOK_UP: LookUp = { overtaken: new Set(), unknown: new Set() };

/** What was read is printed before anything else is done that may fail. As JSON it is one text, with what the log says. */
async function list({ aws, pipeline, terminal, seconds }: Context, print: (text: string) => void, options: ListOptions) {
  const { deadLetterQueueUrl } = pipeline.deliver.config;
  terminal.progress("reading the dead-letter queue");
  const rowsOf = (messages: readonly DeadLetterMessage[], lookUp?: LookUp) =>
    messages.map((message) => toRow(message, pipeline, options.show === true, lookUp));
  const shown = await withDeadLetters(aws, deadLetterQueueUrl, terminal, async (found) => {
    if (options.json !== true) printTable(rowsOf(found.messages), print);
    return found;
  });
  const deadlineMs = Date.now() + seconds * 1_000;
  const lookUp =
    options.redrive === true ? await lookUpNewer(aws, pipeline, shown.messages, { terminal, deadlineMs }) : NO_LOOK_UP;
  if (options.json === true) {
    print(JSON.stringify(rowsOf(shown.messages, options.redrive === true ? lookUp : undefined), undefined, 2));
  }
  printTotals(shown, lookUp, terminal.print);
  const { unread } = shown;
  if (unread !== undefined) {
    const why = missingRight(unread, "sqs:ReceiveMessage") ?? explain(unread, terminal.environment);
    throw new CommandError(`reading the dead-letter queue ended early: ${why}`, { cause: unread });
  }
  return { shown, lookUp };
}

function toRow(message: DeadLetterMessage, { receive }: Pipeline, show: boolean, lookUp: LookUp | undefined) {
  const { messageId, reason, status, userId, bytes, receivedAt, traits } = message;
  const hidden = receive.config.logUserId === "hashed" && !show;
  const about = { messageId, reason, status, userId: hidden && userId !== "" ? hashIdentity(userId) : userId, bytes };
  const redriven = lookUp === undefined ? {} : { overtaken: overtakenOf(message, lookUp) };
  return { ...about, receivedAt: new Date(receivedAt).toISOString(), ...redriven, ...(show ? { traits } : {}) };
}

function overtakenOf({ messageId, userId }: DeadLetterMessage, { overtaken, unknown }: LookUp): string {
  if (overtaken.has(messageId)) return "yes";
  return unknown.has(userId) ? "unknown" : "";
}

function printTable(rows: readonly object[], print: (text: string) => void): void {
  const [first] = rows;
  if (first === undefined) return;
  const header = Object.keys(first).map((name) => (name === "receivedAt" ? "evaluated" : name));
  const textOf = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const cells = rows.map((row) => Object.values(row).map(textOf));
  print(table(header, cells));
}

function printTotals(
  { messages, behind = 0, heldByOthers = 0 }: Shown,
  { overtaken }: LookUp,
  say: (text: string) => void,
): void {
  const more = behind > 0 ? `, ${behind} more behind them` : "";
  const bounded = messages.length >= MOST ? `; only the first ${MOST} are listed` : "";
  say(`${count(messages.length, "dead letter")}${more}${bounded}`);
  if (heldByOthers > 0) say(`${heldByOthers} are held by another reader; try again in 2 minutes`);
  const older = messages.filter(({ messageId }) => overtaken.has(messageId));
  if (older.length === 0) return;
  const ids = [...new Set(older.map(({ messageId }) => messageId))];
  const named = `${ids.slice(0, MOST_NAMED).join(", ")}${ids.length > MOST_NAMED ? ", …" : ""}`;
  const effect = "a redrive sets those traits back until the next evaluation";
  say(`${older.length} of them are older than what Segment has of the same user: ${effect} (${named})`);
}

/** Of the ids that are named beside the list. With --json each message says it. */
const MOST_NAMED = 20;

async function redrive({ aws, pipeline, terminal, yes }: Context, shown: Shown, { unknown }: LookUp): Promise<void> {
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

/** With `deletesOlder` in rounds: what was deleted makes SQS show what lay behind it. */
async function redriveNewest(context: Context, first: Shown, firstLookUp: LookUp, deletesOlder: boolean): Promise<void> {
  const { aws, pipeline, terminal, yes, seconds } = context;
  let [shown, lookUp] = [first, firstLookUp];
  const total = { sent: 0, deleted: 0 };
  for (let round = 1; ; round++) {
    // SQS's numbers lag behind what was just made visible, so later rounds look at what was read only.
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

async function deleteAll({ aws, pipeline, terminal, yes }: Context, id: string): Promise<void> {
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
  // Read again: nothing is held while the operator thinks for minutes.
  const deleted = await withDeadLetters(aws, deadLetterQueueUrl, terminal, async ({ messages }) => {
    const copies = copiesOf(messages);
    for (const copy of copies) await deleteDeadLetter(aws, deadLetterQueueUrl, copy);
    return copies.length;
  });
  const result = `deleted ${id}: ${count(deleted, "copy", "copies")}`;
  if (deleted < length) throw new CommandError(`${result} of ${length}; another reader holds the rest, try again in 2 minutes`);
  terminal.print(result);
}

/** @throws CommandError where nobody can answer. */
async function agreed({ confirm }: Terminal, yes: boolean, question: string): Promise<boolean> {
  if (yes) return true;
  const answer = await confirm(question);
  if (answer === undefined) throw new CommandError(`${question} Nobody can answer here: add --yes`);
  return answer;
}
