import { FlagsmithToSegmentError } from "../../lambda/errors";
import { type Command, type ExitCode, type Terminal, UsageError } from "./command";
import { explain } from "./explain";

const PROGRAM = "flagsmith-to-segment";

interface Entry {
  readonly summary: string;
  /** AWS's clients take a second to load, and not every command needs them. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  doctor: {
    summary: "checks a deployed pipeline, and follows a call through it",
    load: async () => (await import("./doctor")).doctor,
  },
  "dead-letters": {
    summary: "lists calls that were given up; redrives or deletes them",
    load: async () => (await import("./dead-letters")).deadLetters,
  },
  trace: {
    summary: "what became of a message, or of a person's evaluations",
    load: async () => (await import("./trace")).trace,
  },
  send: { summary: "signs a file as Flagsmith does, and posts it", load: async () => (await import("./send")).send },
};

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
  const entry = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined || name === undefined) {
    const wanted = name === "--help" || name === "-h" || name === "help";
    if (wanted) terminal.print(overview());
    else terminal.progress(overview());
    return wanted ? 0 : 2;
  }
  const command = await entry.load();
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
