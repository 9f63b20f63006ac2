import { type ParseArgsConfig, parseArgs } from "node:util";

/** A script was called in a way that it does not know; the text ends in how it is called. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  constructor(usage: string, complaint?: string) {
    super(complaint === undefined ? usage : `${complaint}\n${usage}`);
  }
}

/** What the script was given. @throws UsageError */
export function parseOptions<Config extends ParseArgsConfig>(usage: string, config: Config) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(usage, Object(error).message);
  }
}

/** Says what ended a script: of wrong use the usage, of anything else all that is known. */
export function endWith(error: unknown): never {
  console.error(error instanceof UsageError ? error.message : error);
  process.exit(1);
}
