import type { Aws } from "./aws";
import type { Terminal } from "./command";
import { count } from "./command";
import type { DeadLetterMessage } from "./dead-letter-queue";
import { explain, missingRight } from "./explain";
import { evaluationOf, findEntries, type LogEntry, MAX_PATTERN, patternOf, type Term, userTerm } from "./log-entries";
import type { Pipeline } from "./pipeline";

/** What the log says about the users who have dead letters. */
export interface LookUp {
  /** Ids of messages that are older than an evaluation of the same user that Segment has. */
  readonly overtaken: ReadonlySet<string>;
  /** Users whose log entries do not answer this. */
  readonly unknown: ReadonlySet<string>;
}

export interface LookUpOptions {
  readonly terminal: Terminal;
  readonly deadlineMs: number;
}

interface UserMessages {
  readonly userId: string;
  readonly term: Term;
  readonly messages: readonly DeadLetterMessage[];
}

/** Events after which Segment has the evaluation. */
const AT_SEGMENT = ["delivered", "merged", "unchanged"];

/** Looks for newer evaluations of the same users. It never throws: after an error the users are in `unknown`, and the reason is reported. */
export async function lookUpNewer(
  aws: Aws,
  pipeline: Pipeline,
  all: readonly DeadLetterMessage[],
  { terminal, deadlineMs }: LookUpOptions,
): Promise<LookUp> {
  const readable = all.filter(({ userId }) => userId !== "");
  const users = [...new Set(readable.map(({ userId }) => userId))].map((userId): UserMessages => {
    return { userId, term: userTerm(pipeline, userId), messages: readable.filter((message) => message.userId === userId) };
  });
  const overtaken = new Set<string>();
  const unknown = new Set<string>();
  if (users.length > 0) terminal.progress(`searching the log for newer evaluations of ${count(users.length, "user")}`);
  let whyUnknown: string | undefined;
  for (const some of chunksOf(users)) {
    const sinceMs = Math.min(...some.flatMap(({ messages }) => messages.map(({ receivedAt }) => receivedAt)));
    const isEnough = (entries: readonly LogEntry[]) => some.every(({ term }) => newestAtSegment(entries, term) !== undefined);
    const search = { terms: some.map(({ term }) => term), sinceMs, deadlineMs, isEnough, progress: terminal.progress };
    try {
      const { entries, ended } = await findEntries(aws, pipeline, search);
      for (const user of some) {
        const newest = newestAtSegment(entries, user.term);
        if (newest === undefined && ended !== undefined) unknown.add(user.userId);
        if (newest !== undefined) for (const id of olderThan(newest, user.messages, entries)) overtaken.add(id);
      }
      whyUnknown = ended ?? whyUnknown;
    } catch (error) {
      whyUnknown = missingRight(error, "logs:FilterLogEvents") ?? explain(error, terminal.environment);
      for (const { userId } of some) unknown.add(userId);
    }
  }
  if (unknown.size > 0) {
    const query = aws.webhookUrl === undefined ? ". Saved query: What happened to this user's events" : "";
    const subject = `of ${count(unknown.size, "user")} it is not known whether Segment has something newer`;
    terminal.progress(`${subject}: ${whyUnknown}${query}`);
  }
  return { overtaken, unknown };
}

/** Groups of users that are small enough for one filter pattern. */
function chunksOf(users: readonly UserMessages[]): readonly (readonly UserMessages[])[] {
  const chunks: UserMessages[][] = [];
  for (const user of users) {
    const last = chunks.at(-1);
    const fits = last !== undefined && patternOf([...last, user].map(({ term }) => term)).length <= MAX_PATTERN;
    if (fits) last.push(user);
    else chunks.push([user]);
  }
  return chunks;
}

interface Newest {
  readonly evaluation: string;
  readonly acceptedAt: number;
}

const acceptedAtOf = (entries: readonly LogEntry[]) =>
  new Map(
    entries.filter(({ fields }) => fields.event === "accepted").map((one) => [evaluationOf(one.fields.messageId), one.at]),
  );

/**
 * The newest of the user's evaluations that Segment has. Deliver logs its entries after the whole batch, so the times of receive's entries
 * show which evaluation is newer. The search goes back in time, so an entry that is found later is never newer.
 */
function newestAtSegment(entries: readonly LogEntry[], { value, match }: Term): Newest | undefined {
  const theirs = entries.filter(({ fields: { userId } }) =>
    match === "whole" ? userId === value : String(userId).startsWith(value),
  );
  const accepted = acceptedAtOf(theirs);
  let newest: Newest | undefined;
  for (const { fields } of theirs) {
    if (!AT_SEGMENT.includes(String(fields.event))) continue;
    const evaluation = evaluationOf(fields.messageId);
    const acceptedAt = accepted.get(evaluation);
    if (acceptedAt !== undefined && acceptedAt > (newest?.acceptedAt ?? 0)) newest = { evaluation, acceptedAt };
  }
  return newest;
}

/** Ids of the messages that are older. The parts of the newest evaluation itself are not among them. */
function olderThan(newest: Newest, messages: readonly DeadLetterMessage[], entries: readonly LogEntry[]): readonly string[] {
  const accepted = acceptedAtOf(entries);
  return messages.flatMap(({ messageId, receivedAt }) => {
    const evaluation = evaluationOf(messageId);
    const isOlder = evaluation !== newest.evaluation && newest.acceptedAt > (accepted.get(evaluation) ?? receivedAt);
    return isOlder ? [messageId] : [];
  });
}
