import { count } from "../../infra/cli/command";
import { grouped } from "./row";

/** What still waits when the local run ends. */
export interface Waiting {
  readonly queue: number;
  readonly deadLetters: number;
}

/** Counts what was shown, for the summary at the end. */
export class Summary {
  readonly #webhooks = new Map<string, number>();
  readonly #calls = new Map<string, number>();

  webhook(answer: string): void {
    this.#webhooks.set(answer, (this.#webhooks.get(answer) ?? 0) + 1);
  }

  /** Counts an outcome of a message. A message that is retried has several outcomes. */
  call(outcome: string): void {
    this.#calls.set(outcome, (this.#calls.get(outcome) ?? 0) + 1);
  }

  text({ queue, deadLetters }: Waiting): string {
    const lost =
      queue + deadLetters === 0 ? "nothing" : `${count(queue, "call")} in the queue, ${count(deadLetters, "dead letter")}`;
    return [`webhooks  ${listOf(this.#webhooks)}`, `calls     ${listOf(this.#calls)}`, `lost now  ${lost}`].join("\n");
  }
}

function listOf(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, number]) => `${grouped(number)} ${what}`).join(", ") || "none";
}
