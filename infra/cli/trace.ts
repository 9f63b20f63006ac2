import { AWS_OPTIONS, connect } from "./aws";
import { type Command, parse, table, UsageError } from "./command";
import { findLines, type LogLine, loggedUserId } from "./log-lines";
import { findPipeline, PIPELINE_OPTIONS } from "./pipeline";

const HOUR = 3_600_000;
const DEFAULT_HOURS = 24;

/** The lines of both functions about a message or a person, in order. */
export const trace: Command = {
  summary: "what became of a message, or of a person's evaluations",
  usage: "trace <messageId | user id> [--hours 24] [--json]",
  help: `  --hours <n>    how far back the logs are searched; default ${DEFAULT_HOURS}
A messageId is in Flagsmith's answer and in every line. It may be one part of a large evaluation: all parts are shown.
A user id is hashed where option logUserId says so.`,
  run: async (args, terminal) => {
    const { values, positionals } = parse(args, {
      ...AWS_OPTIONS,
      ...PIPELINE_OPTIONS,
      hours: { type: "string", default: String(DEFAULT_HOURS) },
      json: { type: "boolean" },
    });
    const [id, ...others] = positionals;
    const hours = Number(values.hours);
    if (id === undefined || others.length > 0) throw new UsageError("one messageId or user id is needed");
    if (!(hours > 0)) throw new UsageError(`--hours: allowed is a number above 0; got ${values.hours}`);
    const aws = await connect(values, terminal);
    const pipeline = await findPipeline(aws, values);
    terminal.progress(`searching the logs of the last ${hours} hours`);
    const messages = `${id.replace(/-\d{1,4}$/, "")}-*`;
    const terms = { messageId: messages, mergedInto: messages, userId: loggedUserId(pipeline, id) };
    const lines = await findLines(aws, pipeline, terms, Date.now() - hours * HOUR);
    if (values.json === true)
      terminal.print(
        JSON.stringify(
          lines.map(({ fields }) => fields),
          undefined,
          2,
        ),
      );
    else if (lines.length > 0) terminal.print(table(["time", ...COLUMNS], lines.map(cellsOf)));
    else
      terminal.print(`no line about ${id} in the last ${hours} hours. Did a webhook come at all? Saved query: Who is left out`);
    return lines.length > 0 ? 0 : 1;
  },
};

const COLUMNS = ["service", "event", "messageId", "attempt", "status", "code", "retryInSeconds", "reason", "remedy"] as const;

function cellsOf({ at, fields }: LogLine): readonly string[] {
  return [new Date(at).toISOString(), ...COLUMNS.map((name) => (fields[name] === undefined ? "" : String(fields[name])))];
}
