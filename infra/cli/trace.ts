import { AWS_OPTIONS, connect } from "./aws";
import { type Command, DEFAULT_SECONDS, parse, positive, type Terminal } from "./command";
import { conclusionOf } from "./conclusion";
import { entriesTable } from "./entries-table";
import { evaluationOf, type Found, findEntries, type Term, userTerm } from "./log-entries";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline } from "./pipeline";

const HOUR_MS = 3_600_000;
const DEFAULT_HOURS = 24;

/** Shows the log entries of both functions about a message or a user, oldest first. */
export const trace: Command = {
  usage: "trace <messageId | user id> [--hours 24] [--seconds 60] [--json]",
  help: `  --hours <n>        how far back the log is searched, newest hour first; default ${DEFAULT_HOURS}
  --seconds <n>      how long it is searched; default ${DEFAULT_SECONDS}
  --json             the entries as an array of JSON objects, oldest first
A messageId is in the webhook's answer and in every entry. It may be one part of a large evaluation: all parts are shown.
A user id is hashed where option logUserId says so. Exit code 0 if an entry was found, otherwise 1.`,
  run: async (args, terminal) => {
    const options = {
      ...AWS_OPTIONS,
      ...PIPELINE_OPTIONS,
      hours: { type: "string", default: String(DEFAULT_HOURS) },
      seconds: { type: "string", default: String(DEFAULT_SECONDS) },
      json: { type: "boolean" },
    } as const;
    const { values, argument: id } = parse(args, options, "messageId or user id");
    const hours = positive("hours", values.hours);
    const deadlineMs = Date.now() + positive("seconds", values.seconds) * 1_000;
    const aws = await connect(values, terminal);
    const pipeline = await findPipeline(aws, values);
    terminal.progress(`searching the log of the last ${hours} hours, for at most ${values.seconds} s`);
    const sinceMs = Math.max(0, Date.now() - hours * HOUR_MS);
    const terms = termsOf(pipeline, id);
    const found = await findEntries(aws, pipeline, { terms, sinceMs, deadlineMs, progress: terminal.progress });
    const { entries } = found;
    if (values.json === true) {
      const fields = entries.map((entry) => entry.fields);
      terminal.print(JSON.stringify(fields, undefined, 2));
    } else if (entries.length > 0) {
      terminal.print(entriesTable(entries));
      const { segmentEndpoint: endpoint } = pipeline.deliver.config;
      terminal.print(conclusionOf(entries, { nowMs: Date.now(), endpoint }));
    }
    report(found, { id, hours, isLocal: aws.webhookUrl !== undefined }, values.json === true, terminal);
    return entries.length > 0 ? 0 : 1;
  },
};

interface About {
  readonly id: string;
  readonly hours: number;
  readonly isLocal: boolean;
}

/** Reports if nothing was found, and if the search ended early. */
function report({ entries, searchedSinceMs, ended }: Found, { id, hours, isLocal }: About, json: boolean, terminal: Terminal) {
  const say = json ? terminal.progress : terminal.print;
  const query = (name: string) => (isLocal ? "" : ` Saved query: ${name}`);
  if (ended !== undefined) {
    const since = new Date(searchedSinceMs).toISOString();
    say(`searched back to ${since} only, because ${ended}.${query("What happened to this user's events")}`);
  }
  if (entries.length > 0) return;
  const range = ended === undefined ? `in the last ${hours} hours` : "since then";
  say(`no entry about ${id} ${range}. Did Flagsmith send a webhook?${query("Who is left out")}`);
}

/** Segment's limit for a message id. A longer id must be that of a user. */
const MAX_MESSAGE_ID = 100;

/** Finds all parts of the evaluation, all messages of a merged call, and the user with this id. */
function termsOf(pipeline: Pipeline, id: string): readonly Term[] {
  const user = userTerm(pipeline, id);
  if (id.length > MAX_MESSAGE_ID) return [user];
  return [
    user,
    { field: "messageId", value: id, match: "whole" },
    { field: "messageId", value: `${evaluationOf(id)}-`, match: "start" },
    { field: "mergedInto", value: id, match: "whole" },
  ];
}
