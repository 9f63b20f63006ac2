import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { StringDecoder } from "node:string_decoder";
import { type Input, InterruptedError } from "../command";

/** The part of a terminal's input that this file uses. */
export interface KeyStream extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
  readonly isRaw?: boolean;
  setRawMode(mode: boolean): unknown;
}

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const ERASE = ["\b", "\u007F"];
const ENTER = ["\r", "\n"];
/** The sequences of arrow keys, and the marks around pasted text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals send the escape character
const SEQUENCES = /\u001B\[[\d;]*[~A-Za-z]/g;

/** Reads one line that the terminal does not show. Raw mode ends after the answer, Ctrl-C or the end of the input. @throws InterruptedError */
export function askHidden(question: string, input: KeyStream, output: NodeJS.WritableStream): Promise<string> {
  const decoder = new StringDecoder("utf8");
  const wasRaw = input.isRaw === true;
  let typed = "";
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      input.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onEnd);
      input.setRawMode(wasRaw);
      input.pause();
      output.write("\n");
      settle();
    };
    const onEnd = () => end(() => reject(new InterruptedError()));
    const onData = (chunk: Buffer | string) => {
      const text = typeof chunk === "string" ? chunk : decoder.write(chunk);
      for (const character of text.replace(SEQUENCES, "")) {
        if (ENTER.includes(character)) return end(() => resolve(typed));
        if (character === CTRL_C || character === CTRL_D) return onEnd();
        if (character === CTRL_U) typed = "";
        else if (ERASE.includes(character)) typed = [...typed].slice(0, -1).join("");
        else if (!/\p{Cc}/u.test(character)) typed += character;
      }
    };
    // The echo is switched off first. Otherwise, early key strokes would be shown.
    input.setRawMode(true);
    output.write(question);
    input.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onEnd);
    input.resume();
  });
}

/** Reads one line that the terminal shows. @throws InterruptedError for Ctrl-C and for the end of the input */
export async function askShown(question: string, input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<string> {
  const readline = createInterface({ input, output });
  try {
    return await new Promise<string>((resolve, reject) => {
      readline.once("close", () => reject(new InterruptedError()));
      readline.question(question).then(resolve, reject);
    });
  } finally {
    readline.close();
  }
}

/** Questions are printed to standard error, because the results of a command are printed to standard output. */
export const INPUT: Input = {
  ask: async (question, answer) => {
    if (!process.stdin.isTTY) return undefined;
    const ask = answer === "hidden" ? askHidden : askShown;
    return ask(`${question} `, process.stdin, process.stderr);
  },
  piped: async () => {
    if (process.stdin.isTTY) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString();
  },
  read: async (name) => {
    try {
      return await readFile(name, "utf8");
    } catch (error) {
      if (Object(error).code === "ENOENT") return undefined;
      throw error;
    }
  },
};
