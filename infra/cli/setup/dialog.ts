import { CommandError, InterruptedError, type Terminal } from "../command";

const NOBODY = "no one can answer here: run it in a terminal, or give --yes and the write key on standard input";

/** The questions of `setup`. With `--yes` it asks none, and prints what it assumes. */
export class Dialog {
  /** Whether a parameter was written. */
  hasWritten = false;

  constructor(
    private readonly terminal: Terminal,
    readonly isUnattended: boolean,
  ) {}

  print(text: string): void {
    this.terminal.print(text);
  }

  /** `unattended`: what is done with `--yes`, as a sentence. @throws CommandError if no one can answer */
  async confirm(question: string, unattended: { readonly answer: boolean; readonly says: string }): Promise<boolean> {
    if (this.isUnattended) {
      this.print(`--yes: ${unattended.says}`);
      return unattended.answer;
    }
    const answer = await this.#answered(this.terminal.confirm(question));
    if (answer === undefined) throw new CommandError(NOBODY);
    return answer;
  }

  /** The answer without surrounding blanks. @throws CommandError if no one can answer */
  async ask(question: string, answer: "shown" | "hidden" = "shown"): Promise<string> {
    const given = await this.#answered(this.terminal.input?.ask(question, answer));
    if (given === undefined) throw new CommandError(NOBODY);
    return given.trim();
  }

  /** @throws InterruptedError; it says if nothing was written */
  async #answered<Answer>(answer: Promise<Answer> | undefined): Promise<Answer | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof InterruptedError && !this.hasWritten) throw new InterruptedError("nothing was written");
      throw error;
    }
  }

  /** The write key: a script's from standard input, otherwise from the terminal. */
  async secretText(question: string): Promise<string> {
    const piped = this.isUnattended ? await this.terminal.input?.piped() : undefined;
    return piped === undefined ? this.ask(question, "hidden") : piped.trim();
  }
}
