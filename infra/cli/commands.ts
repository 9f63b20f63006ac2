import { FlagsmithToSegmentError } from "../../lambda/errors";
import { version } from "../../package.json";
import { type Command, type ExitCode, type Terminal, UsageError } from "./command";
import { explain, missingRight } from "./explain";

const PROGRAM = "flagsmith-to-segment";

interface Entry {
  readonly summary: string;
  /** AWS's clients take a second to load, and not every command needs them. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  doctor: {
    summary: "checks a deployed pipeline; --call and --wait follow a call through it",
    load: async () => (await import("./doctor")).doctor,
  },
  "dead-letters": {
    summary: "lists dead-lettered messages; redrives or deletes them",
    load: async () => (await import("./dead-letters")).deadLetters,
  },
  setup: {
    summary: "before the deploy: checks the account, creates the parameters; after it: what Flagsmith needs",
    load: async () => (await import("./setup")).setup,
  },
  trace: { summary: "what became of a message, or of a user's evaluations", load: async () => (await import("./trace")).trace },
  send: { summary: "signs a body as Flagsmith does, and posts it", load: async () => (await import("./send")).send },
};

/** Commands that do not use these options to find a pipeline. */
const WITHOUT_PLACES = ["send", "setup"];

const PLACES = `  --region <region>  default: AWS_REGION, or the profile's
  --stack <name>, --environment <name>   which pipeline, where there are several
  --local            a running npm start, at PORT, instead of AWS`;

function overview(): string {
  const names = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`);
  return [`usage: ${PROGRAM} <command> [--help]`, ...names, "  --version     which release this is"].join("\n");
}

/** The command as the operator called it: by a script of the clone, or by its own name. `usage` begins with the command's name. */
function calledAs({ usage }: Command, { npm_lifecycle_event: script }: Terminal["environment"]): string {
  const [name, ...options] = usage.split(" ");
  const program = script === name ? `npm run ${name} --` : `${PROGRAM} ${name}`;
  return [`usage: ${program}`, ...options].join(" ");
}

function helpOf(command: Command, environment: Terminal["environment"]): string {
  const places = WITHOUT_PLACES.includes(command.usage.split(" ", 1)[0] ?? "") ? [] : [PLACES];
  const codes = "Exit code: 0 all well or found, 1 something is wrong or nothing was found, 2 called wrongly.";
  return [calledAs(command, environment), command.help, ...places, codes].join("\n");
}

/** Options of the commands, without those that npm has too. */
const OPTIONS = [
  ...["local", "region", "stack", "environment", "redrive", "newest", "delete-older", "delete", "show"],
  ...["hours", "seconds", "minutes", "call", "wait", "url", "secret", "as", "flag", "off"],
  ...["kms-key-arn", "segment-region", "qualifier"],
];

/** Refuses options that npm read as its own, because they stood before its `--`. Without them, the command would do something else. */
function refuseForgotten(name: string, args: readonly string[], environment: Terminal["environment"]): void {
  const taken = OPTIONS.filter((option) => environment[`npm_config_${option.replaceAll("-", "_")}`] !== undefined);
  if (taken.length === 0) return;
  const typed = taken.map((option) => {
    const value = environment[`npm_config_${option.replaceAll("-", "_")}`];
    // npm gives an option without a value the text "true". A secret is not shown.
    if (value === "true" || value === "") return `--${option}`;
    return `--${option} ${option === "secret" ? "<secret>" : value}`;
  });
  const command = `npm run ${name} -- ${[...typed, ...args].join(" ")}`;
  throw new UsageError(`npm read --${taken[0]} as its own option: options come after npm's own --. Type: ${command}`);
}

/** Runs one command. It never throws: an error becomes a sentence on standard error. */
export async function run([name = "", ...args]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { environment, print, progress } = terminal;
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    if (["--help", "-h", "help"].includes(name)) {
      print(overview());
      return 0;
    }
    if (["--version", "-v"].includes(name)) {
      print(version);
      return 0;
    }
    progress(name === "" ? overview() : `unknown command ${name}\n${overview()}`);
    return 2;
  }
  const command = await entry.load();
  if (args.includes("--help") || args.includes("-h")) {
    print(helpOf(command, environment));
    return 0;
  }
  try {
    refuseForgotten(name, args, environment);
    return await command.run(args, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      progress(`${error.message}\n${calledAs(command, environment)}\n--help says more`);
      return 2;
    }
    const right = missingRight(error);
    const text = error instanceof FlagsmithToSegmentError ? error.message : explain(error, environment);
    progress(`${text}${right === undefined ? "" : `; ${right}`}`);
    // For npm, --local is an alias of its option --no-global, so npm swallows it before its own --.
    const isOnAws = !WITHOUT_PLACES.includes(name) && !args.some((argument) => /^--(local|region)(=|$)/.test(argument));
    if (isOnAws && environment.npm_lifecycle_event === name) {
      progress(`for a running npm start, type: npm run ${[name, "--", "--local", ...args].join(" ")}`);
    }
    return 1;
  }
}
