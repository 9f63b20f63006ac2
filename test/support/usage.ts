import { type ParseArgsConfig, parseArgs } from "node:util";

/** How a script of this repository is called. */
export interface Usage {
  /** "npm run fuzz -- [--seconds n] [--seed n]" */
  readonly call: string;
  /** What `--help` prints after the call. */
  readonly help: string;
}

/** A script was called with wrong arguments. The message ends with the correct call. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  constructor({ call }: Usage, complaint: string) {
    super(`${complaint}\nusage: ${call}\n--help tells more`);
  }
}

/** The script was called with `--help`, so it does nothing. */
export class HelpRequest extends Error {
  override readonly name = "HelpRequest";

  constructor({ call, help }: Usage) {
    super(`usage: ${call}\n${help}`);
  }
}

/** Returns the script's options. @throws UsageError, HelpRequest */
export function parseOptions<Config extends ParseArgsConfig>(usage: Usage, config: Config) {
  const args = config.args ?? process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) throw new HelpRequest(usage);
  try {
    return parseArgs(config);
  } catch (error) {
    // The first sentence is enough: Node.js then explains at length how an option's name could be an argument.
    throw new UsageError(usage, String(Object(error).message).split(". ", 1)[0] ?? "");
  }
}

/** Prints what ended a script. Exits with 0 after help, with 2 after a wrong call (as the operator's commands do), with 1 after an error. */
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
