import { AWS_OPTIONS, connect } from "./aws";
import { type Command, parse, table, UsageError } from "./command";
import { evaluationOf, findLines, type LogLine, personTerm, type Term } from "./log-lines";
import { findPipeline, PIPELINE_OPTIONS, type Pipeline } from "./pipeline";

const HOUR = 3_600_000;
const DEFAULT_HOURS = 24;

/** The lines of both functions about a message or a person, in order. */
export const trace: Command = {
  usage: "trace <messageId | user id> [--hours 24] [--json]",
  help: `  --hours <n>    how far back the logs are searched; default ${DEFAULT_HOURS}
A messageId is in the webhook's answer and in every line. It may be one part of a large evaluation: all parts are shown.
A user id is hashed where option logUserId says so.`,
  run: async (args, terminal) => {
    const options = {
      ...AWS_OPTIONS,
      ...PIPELINE_OPTIONS,
      hours: { type: "string", default: String(DEFAULT_HOURS) },
      json: { type: "boolean" },
    } as const;
    const { values, argument: id } = parse(args, options, "messageId or user id");
    const hours = Number(values.hours);
    if (!(hours > 0)) throw new UsageError(`--hours: allowed is a number above 0; got ${values.hours}`);
    const aws = await connect(values, terminal);
    const pipeline = await findPipeline(aws, values);
    terminal.progress(`searching the logs of the last ${hours} hours`);
    const lines = await findLines(aws, pipeline, termsOf(pipeline, id), Math.max(0, Date.now() - hours * HOUR));
    const fields = lines.map((line) => line.fields);
    if (values.json === true) terminal.print(JSON.stringify(fields, undefined, 2));
    else if (lines.length > 0) terminal.print(table(["time", ...COLUMNS], lines.map(cellsOf)));
    else terminal.print(`no line about ${id} in the last ${hours} hours. Did a webhook come? Saved query: Who is left out`);
    return lines.length > 0 ? 0 : 1;
  },
};

/** Segment's limit for a message id: what is longer is a user's. */
const MAX_MESSAGE_ID = 100;

/** All parts of the evaluation, what a merged call carried, and the person of that name. */
function termsOf(pipeline: Pipeline, id: string): readonly Term[] {
  const person = personTerm(pipeline, id);
  if (id.length > MAX_MESSAGE_ID) return [person];
  return [
    person,
    { field: "messageId", value: id, match: "whole" },
    { field: "messageId", value: `${evaluationOf(id)}-`, match: "start" },
    { field: "mergedInto", value: id, match: "whole" },
  ];
}

const TOLD = ["attempt", "status", "code", "retryInSeconds", "reason", "remedy"] as const;
const COLUMNS = ["service", "event", "messageId", "mergedInto", ...TOLD] as const;

function cellsOf({ at, fields }: LogLine): readonly string[] {
  return [new Date(at).toISOString(), ...COLUMNS.map((name) => (fields[name] === undefined ? "" : String(fields[name])))];
}
