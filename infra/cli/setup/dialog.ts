import { CommandError, type Terminal } from "../command";

const NOBODY = "nobody can answer here: run it in a terminal, or give --yes, and the write key on standard input";

/** The questions of `setup`. With `--yes` no question is asked, and the assumed answers are printed. */
export class Dialog {
  constructor(
    private readonly terminal: Terminal,
    readonly isUnattended: boolean,
  ) {}

  print(text: string): void {
    this.terminal.print(text);
  }

  /** `unattended`: the answer with `--yes`, and a sentence about it. @throws CommandError if no one can answer */
  async confirm(question: string, unattended: { readonly answer: boolean; readonly says: string }): Promise<boolean> {
    if (this.isUnattended) {
      this.print(`--yes: ${unattended.says}`);
      return unattended.answer;
    }
    const answer = await this.terminal.confirm(question);
    if (answer === undefined) throw new CommandError(NOBODY);
    return answer;
  }

  /** Returns the answer without blanks around it. @throws CommandError if no one can answer */
  async ask(question: string, answer: "shown" | "hidden" = "shown"): Promise<string> {
    const given = await this.terminal.input?.ask(question, answer);
    if (given === undefined) throw new CommandError(NOBODY);
    return given.trim();
  }

  /** With `--yes`, a script can give the write key on standard input. Otherwise the terminal asks for it. */
  async secretText(question: string): Promise<string> {
    const piped = this.isUnattended ? await this.terminal.input?.piped() : undefined;
    return piped === undefined ? this.ask(question, "hidden") : piped.trim();
  }
}
