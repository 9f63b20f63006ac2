import { hashIdentity } from "../../lambda/identify-call";
import { AWS_OPTIONS, connect } from "./aws";
import { type Command, CommandError, count, DEFAULT_SECONDS, parse, positive, table, UsageError } from "./command";
import { type Context, deleteAll, redrive, redriveNewest } from "./dead-letter-actions";
import { type DeadLetterMessage, MOST, type Shown, withDeadLetters } from "./dead-letter-queue";
import { explain, missingRight } from "./explain";
import { type LookUp, lookUpNewer } from "./newer-evaluations";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline } from "./pipeline";

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
  --yes              answers the question, for scripts
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
    // With --json, standard output has only the JSON.
    const aside = values.json === true ? { ...terminal, print: terminal.progress } : terminal;
    const context: Context = { aws, pipeline, terminal: aside, yes: values.yes === true, seconds };
    if (values.delete !== undefined) await deleteAll(context, values.delete);
    else {
      const { shown, lookUp } = await list(context, terminal.print, values);
      if (values.newest === true) await redriveNewest(context, shown, lookUp, values["delete-older"] === true);
      else if (values.redrive === true) await redrive(context, shown, lookUp);
    }
    return 0;
  },
};

interface ListOptions {
  readonly show?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly redrive?: boolean | undefined;
}

const NO_LOOK_UP: LookUp = { overtaken: new Set(), unknown: new Set() };

/**
 * Prints the messages before the next step that may fail. With --json they are printed after the search of the log, because they are one
 * JSON text that includes its result.
 */
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

/** Maximum number of ids in the sentence below the list. With --json each message has its own field. */
const MOST_NAMED = 20;
