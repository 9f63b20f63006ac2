import { type ParseArgsConfig, parseArgs } from "node:util";
import { FlagsmithToSegmentError } from "../../lambda/errors";

/** Segment's settings, which say whether a write key exists. */
export const SETTINGS_URL = "https://cdn.segment.com";

/** The port that `npm start` uses. */
export const DEFAULT_PORT = 3000;

/** Seconds that a search of the log may take. */
export const DEFAULT_SECONDS = 60;

/** What an operator types or a script passes, and files beside the app. */
export interface Input {
  /** A hidden answer is not shown while it is typed. undefined if no one can answer. @throws InterruptedError */
  ask(question: string, answer: "shown" | "hidden"): Promise<string | undefined>;
  /** All of standard input. undefined if it is a terminal. */
  piped(): Promise<string | undefined>;
  /** The text of a file in the current folder. undefined = there is no such file. */
  read(name: string): Promise<string | undefined>;
}

/** Where a command reads and writes. Results go to standard output, progress to standard error. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  print(text: string): void;
  progress(text: string): void;
  /** Asks for yes or no. undefined if no one can answer. */
  confirm(question: string): Promise<boolean | undefined>;
  /** Has `act` done before Ctrl-C ends the program, until the result is called. */
  onInterrupt(act: () => Promise<void>): () => void;
  /** undefined = there is none: no one can answer, and nothing is read. */
  readonly input?: Input;
}

/** Ends a command because the operator must do something first. The message says what. */
export class CommandError extends FlagsmithToSegmentError {
  readonly code = "command";
  readonly actor = "operator";
}

/** The operator pressed Ctrl-C at a question, or closed the terminal. */
export class InterruptedError extends CommandError {
  constructor(consequence?: string) {
    super(consequence === undefined ? "interrupted" : `interrupted: ${consequence}`);
  }
}

/** The arguments are wrong. */
export class UsageError extends FlagsmithToSegmentError {
  readonly code = "usage";
  readonly actor = "operator";
}

export type OptionsConfig = NonNullable<ParseArgsConfig["options"]>;

/** 0 = success; 1 = something is wrong, or nothing was found; 2 = wrong arguments. */
export type ExitCode = 0 | 1 | 2;

export interface Command {
  /** Without the program's name. */
  readonly usage: string;
  /** The text of `--help` after the usage. */
  readonly help: string;
  run(args: readonly string[], terminal: Terminal): Promise<ExitCode>;
}

/**
 * `needed`: what the one argument beside the options is; undefined = there is none.
 * @throws UsageError for an unknown option, one without its value, and an argument too many or too few.
 */
export function parse<Options extends OptionsConfig>(args: readonly string[], options: Options, needed?: string) {
  const { values, positionals } = parsed(args, options);
  const [argument = "", ...others] = positionals;
  if (needed !== undefined && (argument === "" || others.length > 0)) throw new UsageError(`one ${needed} is needed`);
  if (needed === undefined && argument !== "") throw new UsageError(`unknown argument ${argument}`);
  return { values, argument };
}

function parsed<Options extends OptionsConfig>(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const { code, message } = Object(error);
    // Node.js adds a long explanation, which is cut.
    throw new UsageError(code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" ? message.split(".", 1)[0] : message);
  }
}

/** @throws UsageError for anything but a number above 0. */
export function positive(name: string, given: string): number {
  const number = Number(given);
  if (!(number > 0)) throw new UsageError(`--${name}: allowed is a number above 0; got ${given}`);
  return number;
}

/** "1 call", "2 calls". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Makes columns as wide as their longest cell. Control characters are escaped, because an identity could steer the terminal with them. */
export function table(header: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map((cell) => cell.replace(/\p{Cc}/gu, "?")));
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [header, ...rows].map(line).join("\n");
}
