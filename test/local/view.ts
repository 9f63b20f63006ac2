import { type Evaluation, parseEvaluation } from "../../lambda/receive/evaluation";
import type { LogEntry } from "./entries";
import type { AnsweredWebhook, FrontObserver } from "./front";
import { noticeOf } from "./notice";
import { formatRow, type Look, type Row, type Tone } from "./row";
import { Summary } from "./summary";
import { type Traits, traitsOf } from "./traits";
import { causeText, elapsedText, flagCount, flagText, retryText, traitText } from "./words";

/** One evaluation, which may be several messages. */
interface Shown {
  readonly flagNames: ReadonlySet<string>;
  readonly calls: number;
  /** Messages that were settled or dead-lettered. */
  done: number;
  readonly traits: Map<string, unknown>;
}

/** Evaluations that are remembered until all of their messages are settled. */
const MAX_EVALUATIONS = 1_000;

/** The word and the tone of each outcome. `delivered` has no word. */
const OUTCOMES: Readonly<Record<string, { readonly word?: string; readonly tone: Tone }>> = {
  delivered: { tone: "out" },
  merged: { word: "merged", tone: "out" },
  unchanged: { word: "unchanged", tone: "quiet" },
  "dry-run": { word: "dry run", tone: "quiet" },
};

/** Shows each webhook with the flags as Flagsmith sent them, and its outcome with the traits as Segment gets them. */
export class View implements FrontObserver {
  readonly summary = new Summary();
  readonly #entriesOfReceive = new Map<unknown, LogEntry>();
  /** Outcomes that wait until their webhook is shown, by API Gateway's request id. */
  readonly #unanswered = new Map<string, LogEntry[]>();
  readonly #evaluations = new Map<string, Shown>();
  readonly #traits = new Map<string, Traits>();
  readonly #listeners = new Set<(entry: LogEntry) => void>();

  constructor(
    private readonly print: (text: string) => void,
    private readonly look: Look,
  ) {}

  /** Calls the listener for each outcome of deliver. Returns a function that removes the listener. */
  onOutcome(listener: (entry: LogEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  arrived(requestId: string): void {
    this.#unanswered.set(requestId, []);
  }

  answered({ requestId, invocationId, status, body, reason, atMs }: AnsweredWebhook): void {
    const entry = this.#entriesOfReceive.get(invocationId) ?? { reason };
    this.#entriesOfReceive.delete(invocationId);
    const { event = "refused", userId = "-", messageId, calls } = entry;
    this.summary.webhook(`${event} (${status})`);
    const row = { atMs, direction: "IN", status: String(status), user: String(userId) } as const;
    const evaluation = event === "accepted" ? parseEvaluation(body) : undefined;
    if (evaluation?.kind === "evaluation") {
      this.#remember(String(messageId), evaluation, Number(calls));
      this.#show({ ...row, size: flagCount(evaluation.flags.length), set: evaluation.flags.map(flagText), tone: "in" });
    } else {
      const tone = status < 400 ? "quiet" : "bad";
      this.#show({ ...row, size: "", words: causeText(event, entry), tone });
    }
    const outcomes = this.#unanswered.get(requestId) ?? [];
    this.#unanswered.delete(requestId);
    for (const outcome of outcomes) this.#outcome(outcome);
  }

  /** Reads the traits of messages before deliver gets them, because the log does not contain traits. */
  delivering(bodies: readonly string[]): void {
    for (const body of bodies) {
      const traits = traitsOf(body);
      if (traits !== undefined) this.#traits.set(...traits);
    }
  }

  entry(entry: LogEntry): void {
    const { service, event, requestId, messageId = "" } = entry;
    if (service === "receive" && event !== undefined && WEBHOOK_EVENTS.has(event)) {
      this.#entriesOfReceive.set(requestId, entry);
    } else if (service === "deliver" && MESSAGE_EVENTS.has(event)) {
      this.summary.call(String(event));
      const waiting = [...this.#unanswered].find(([id]) => String(messageId).includes(id));
      if (waiting === undefined) this.#outcome(entry);
      else waiting[1].push(entry);
    } else this.print(formatRow(noticeOf(entry), this.look));
  }

  #remember(messageId: string, { flags }: Evaluation, calls: number): void {
    const flagNames = new Set(flags.map(({ name }) => name));
    this.#evaluations.set(evaluationOf(messageId), { flagNames, calls, done: 0, traits: new Map() });
    const [oldest] = this.#evaluations.keys();
    if (this.#evaluations.size > MAX_EVALUATIONS && oldest !== undefined) this.#evaluations.delete(oldest);
  }

  #outcome(entry: LogEntry): void {
    const { event, messageId, status, userId = "-", latencyMs, ageMs, timestamp } = entry;
    const known = OUTCOMES[String(event)];
    const id = String(messageId);
    const row = {
      atMs: Date.parse(String(timestamp)),
      direction: "OUT",
      status: status === undefined ? "-" : String(status),
      user: String(userId),
      size: elapsedText(latencyMs ?? ageMs),
    } as const;
    if (event === "retrying") this.#show({ ...row, words: retryText(entry), tone: "warning" });
    else if (event === "dead-lettered") this.#show({ ...row, words: causeText(event, entry), tone: "bad" });
    const traits = this.#traits.get(id) ?? {};
    if (event !== "retrying") this.#traits.delete(id);
    const evaluation = this.#evaluations.get(evaluationOf(id)) ?? newEvaluation();
    if (event !== "retrying") evaluation.done++;
    if (known !== undefined) {
      for (const [name, value] of Object.entries(traits)) evaluation.traits.set(name, value);
      // The calls of a large evaluation are shown in one row.
      if (evaluation.done >= evaluation.calls) this.#show({ ...row, ...settledText(entry, evaluation), tone: known.tone });
    }
    if (evaluation.done >= evaluation.calls) this.#evaluations.delete(evaluationOf(id));
    for (const listener of this.#listeners) listener(entry);
  }

  #show(row: Row): void {
    this.print(formatRow(row, this.look));
  }
}

const WEBHOOK_EVENTS: ReadonlySet<unknown> = new Set(["accepted", "ignored", "unauthorized", "invalid", "unavailable"]);
const MESSAGE_EVENTS: ReadonlySet<unknown> = new Set([...Object.keys(OUTCOMES), "retrying", "dead-lettered"]);

function newEvaluation(): Shown {
  return { flagNames: new Set(), calls: 1, done: 0, traits: new Map() };
}

/** The prefix that the message ids of one evaluation share. */
function evaluationOf(messageId: string): string {
  return messageId.replace(/-\d+$/, "");
}

function settledText({ event, experiments }: LogEntry, { calls, traits, flagNames }: Shown): Pick<Row, "words" | "set"> {
  const words = [
    OUTCOMES[String(event)]?.word,
    calls > 1 ? `${calls} calls` : undefined,
    experiments === undefined ? undefined : `experiments: ${experiments}`,
  ].filter((word) => word !== undefined);
  const set = [...traits].map(([name, value]) => traitText(name, value, flagNames));
  return { words: words.length === 0 ? undefined : words.join(" · "), set };
}
