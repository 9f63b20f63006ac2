import { FlagsmithToSegmentError } from "../../lambda/errors";
import { explain } from "./aws";
import { type Command, type ExitCode, type Terminal, UsageError } from "./command";
import { deadLetters } from "./dead-letters";
import { doctor } from "./doctor";
import { send } from "./send";
import { trace } from "./trace";

const PROGRAM = "flagsmith-to-segment";

const COMMANDS: Readonly<Record<string, Command>> = { doctor, "dead-letters": deadLetters, trace, send };

const PLACES = `  --region <region>  default: AWS_REGION, or the profile's
  --stack <name>, --environment <name>   which pipeline, where there are several
  --local            a running npm start, at PORT, instead of AWS`;

function overview(): string {
  const names = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`);
  return [`usage: ${PROGRAM} <command> [--help]`, ...names].join("\n");
}

function helpOf(name: string, { usage, help }: Command): string {
  const places = name === "send" ? [] : [PLACES];
  return [`usage: ${PROGRAM} ${usage}`, help, ...places, "Exit code: 0 all well, 1 something is wrong, 2 called wrongly."].join(
    "\n",
  );
}

/** Runs one command. Never throws: what went wrong is one line on standard error. */
export async function run([name, ...args]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined || name === undefined) {
    const wanted = name === "--help" || name === "-h" || name === "help";
    if (wanted) terminal.print(overview());
    else terminal.progress(overview());
    return wanted ? 0 : 2;
  }
  if (args.includes("--help") || args.includes("-h")) {
    terminal.print(helpOf(name, command));
    return 0;
  }
  try {
    return await command.run(args, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.progress(`${error.message}\nusage: ${PROGRAM} ${command.usage}`);
      return 2;
    }
    terminal.progress(error instanceof FlagsmithToSegmentError ? error.message : explain(error, terminal.environment));
    return 1;
  }
}
