import { networkMeaning } from "./articles";
import { count } from "./command";
import { evaluationOf, type LogEntry } from "./log-entries";

type Fields = LogEntry["fields"];

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Examples: "107 ms", "40 s", "12 min", "3 h 13 min". */
export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  const minutes = Math.round(ms / MINUTE_MS);
  if (ms < 2 * HOUR_MS) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const EVENTS_OF_RECEIVE: Readonly<Record<string, string>> = {
  accepted: "accepted: deliver has logged nothing about it yet",
  ignored: "ignored",
  unauthorized: "refused: the signature is missing or wrong",
  invalid: "refused: the body is no evaluation that this release reads",
  unavailable: "refused: Flagsmith was asked to try again",
};

export interface ConclusionOptions {
  readonly nowMs: number;
  /** The URL that deliver sends to. */
  readonly endpoint: string;
}

/**
 * One sentence about all entries, which are sorted from oldest to newest. For several evaluations it counts the outcomes, and says the
 * outcome of the newest.
 */
export function conclusionOf(entries: readonly LogEntry[], options: ConclusionOptions): string {
  const evaluations = new Map<string, LogEntry[]>();
  for (const entry of entries) {
    const id = evaluationOf(entry.fields.messageId);
    // Deleting the key first moves the evaluation to the end of the map, so the newest is last.
    const others = evaluations.get(id) ?? [];
    evaluations.delete(id);
    evaluations.set(id, [...others, entry]);
  }
  const all = [...evaluations.values()];
  const sentences = all.map((of) => sentenceOf(of, options));
  const last = sentences.at(-1) ?? "";
  if (all.length === 1) return last;
  const kinds = new Map<string, number>();
  for (const sentence of sentences) {
    const [kind = ""] = sentence.split(/[ :]/, 1);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const counts = [...kinds].map(([kind, number]) => `${number} ${kind}`).join(", ");
  return `${count(all.length, "evaluation")}: ${counts}; the last one is ${last}`;
}

/** The outcome of one evaluation, which may have several messages. A message that is not settled determines the outcome. */
function sentenceOf(entries: readonly LogEntry[], options: ConclusionOptions): string {
  const newest = new Map<unknown, LogEntry>();
  for (const entry of entries) if (entry.fields.service !== "receive") newest.set(entry.fields.messageId, entry);
  // An additional entry, such as `not-recorded`, is not an outcome.
  const outcomes = [...newest.values()].map((entry) => outcomeBefore(entries, entry));
  const received = entries.findLast(({ fields }) => fields.service === "receive");
  if (outcomes.length === 0) return ofReceive(received?.fields ?? {});
  const worst = ["dead-lettered", "retrying", "dry-run", "unchanged", "merged", "delivered"]
    .map((event) => outcomes.findLast(({ fields }) => fields.event === event))
    .find((entry) => entry !== undefined);
  const { calls } = received?.fields ?? {};
  const missing = typeof calls === "number" ? calls - outcomes.length : 0;
  const rest = missing > 0 ? `; ${missing} of ${count(Number(calls), "part")} not yet` : "";
  return `${worst === undefined ? String(outcomes[0]?.fields.event) : ofDeliver(worst, outcomes, options)}${rest}`;
}

const ADDITIONAL = ["not-recorded", "parameter-stale"];

function outcomeBefore(entries: readonly LogEntry[], last: LogEntry): LogEntry {
  const { messageId } = last.fields;
  const isOutcome = ({ fields }: LogEntry) => fields.messageId === messageId && !ADDITIONAL.includes(String(fields.event));
  return entries.findLast((entry) => entry.fields.service !== "receive" && isOutcome(entry)) ?? last;
}

function ofReceive({ event, reason }: Fields): string {
  const sentence = EVENTS_OF_RECEIVE[String(event)] ?? String(event);
  return reason === undefined ? sentence : `${sentence}: ${reason}`;
}

function ofDeliver({ at, fields }: LogEntry, outcomes: readonly LogEntry[], { nowMs, endpoint }: ConclusionOptions): string {
  const { event, attempt, retryInSeconds, ageMs } = fields;
  switch (event) {
    case "delivered":
    case "merged": {
      const latencies = outcomes.flatMap(({ fields: { latencyMs } }) => (typeof latencyMs === "number" ? [latencyMs] : []));
      const as = event === "merged" ? " in a merged call" : "";
      return `delivered${as}${latencies.length === 0 ? "" : ` ${duration(Math.max(...latencies))} after reception`}`;
    }
    case "unchanged":
      return "unchanged: Segment has these traits, nothing was sent";
    case "dry-run":
      return "logged: option dryRun is on, nothing was sent";
    case "dead-lettered": {
      const after = typeof ageMs === "number" ? ` after ${duration(ageMs)}` : "";
      return `dead-lettered${after}: ${fields.reason}`;
    }
    default: {
      const leftMs = at + Number(retryInSeconds ?? 0) * SECOND_MS - nowMs;
      const next = leftMs > 0 ? `next in ${duration(leftMs)}` : "the next is due";
      return `waiting: attempt ${attempt}, ${next}, because ${causeOf(fields, endpoint)}`;
    }
  }
}

function causeOf(fields: Fields, endpoint: string): string {
  const { code, status, reason } = fields;
  if (status !== undefined) return `Segment answered ${status}`;
  if (code === "no-answer") return networkMeaning(fields, endpoint) ?? `Segment did not answer (${reason})`;
  if (code === "table-failed") return `DynamoDB failed (${reason})`;
  return reason === undefined ? `of ${code}` : `of ${code}: ${reason}`;
}
