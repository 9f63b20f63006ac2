import { type ParseArgsConfig, parseArgs } from "node:util";

/** How a script of this repository is called. */
export interface Usage {
  /** "npm run fuzz -- [--seconds n] [--seed n]" */
  readonly call: string;
  /** What `--help` says beside that. */
  readonly help: string;
}

/** A script was called in a way that it does not know. The message ends in how it is called. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  constructor({ call }: Usage, complaint: string) {
    super(`${complaint}\nusage: ${call}\n--help tells more`);
  }
}

/** The script was asked for its help, so it starts nothing. */
export class HelpRequest extends Error {
  override readonly name = "HelpRequest";

  constructor({ call, help }: Usage) {
    super(`usage: ${call}\n${help}`);
  }
}

/** What the script was given. @throws UsageError, HelpRequest */
export function parseOptions<Config extends ParseArgsConfig>(usage: Usage, config: Config) {
  const args = config.args ?? process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) throw new HelpRequest(usage);
  try {
    return parseArgs(config);
  } catch (error) {
    // Node.js explains at length how the name of an option could be an argument.
    throw new UsageError(usage, String(Object(error).message).split(". ", 1)[0] ?? "");
  }
}

/** Says what ended a script. 0 after its help, 2 after a wrong call, as the operator's commands; 1 after an error, with all that is known. */
export function endWith(error: unknown): never {
  if (error instanceof HelpRequest) {
    console.log(error.message);
    process.exit(0);
  }
  if (error instanceof UsageError) {
    console.error(error.message);
    process.exit(2);
  }
  console.error(error);
  process.exit(1);
}
