import type { Aws } from "../aws";
import { count, DEFAULT_SECONDS, type Terminal } from "../command";
import { conclusionOf } from "../conclusion";
import { explain, missingRight } from "../explain";
import { evaluationOf, findEntries, type LogEntry, type Term, userTerm } from "../log-entries";
import type { Pipeline } from "../pipeline";
import { follow, IDENTITY } from "./call";
import { type Finding, type Verdict, verdict } from "./finding";

/** Default of the longest time that `--wait` waits. */
export const DEFAULT_MINUTES = 15;

/** Pause between two searches of the log. CloudWatch shows entries after some seconds. */
const PAUSE_MS = 3_000;
const PROGRESS_MS = 30_000;
/** Flagsmith tries three times within 3 s. One explanation is enough for them. */
const SAME_MS = 30_000;
const MINUTE_MS = 60_000;
const NAME = "first webhook";
const EVENTS = ["accepted", "ignored", "unauthorized", "invalid", "unavailable"];

export interface WaitOptions {
  readonly minutes: number;
  readonly terminal: Pick<Terminal, "environment" | "progress">;
}

/**
 * Explains each kind of webhook that is not accepted, and follows the first accepted one. A finding has level ok only if that one was
 * delivered, or was not sent on purpose (unchanged, or option dryRun).
 */
export async function* waitForWebhook(aws: Aws, pipeline: Pipeline, options: WaitOptions): AsyncGenerator<Finding> {
  try {
    yield* wait(aws, pipeline, options);
  } catch (error) {
    const detail = `not seen: ${explain(error, options.terminal.environment)}`;
    yield { check: NAME, ...verdict("failed", detail, missingRight(error, "logs:FilterLogEvents on both log groups")) };
  }
}

async function* wait(aws: Aws, pipeline: Pipeline, { minutes, terminal }: WaitOptions): AsyncGenerator<Finding> {
  const startMs = Date.now();
  const endMs = startMs + minutes * MINUTE_MS;
  const pauseMs = aws.webhookUrl === undefined ? PAUSE_MS : aws.pauseMs;
  const others = new Others(pipeline);
  const terms = EVENTS.map((value): Term => ({ field: "event", value, match: "whole" }));
  let nextProgressMs = startMs;
  for (;;) {
    if (Date.now() >= nextProgressMs) {
      terminal.progress(`waiting for the first webhook, until ${new Date(endMs).toISOString()} at most`);
      nextProgressMs += PROGRESS_MS;
    }
    const deadlineMs = Date.now() + DEFAULT_SECONDS * 1_000;
    const { entries, ended } = await findEntries(aws, pipeline, { terms, sinceMs: startMs, deadlineMs });
    const own = userTerm(pipeline, IDENTITY).value;
    const first = entries.find(({ fields }) => fields.event === "accepted" && fields.userId !== own);
    if (first !== undefined) return yield* followed(aws, pipeline, first, terminal.progress);
    for (const entry of entries) yield* others.meet(entry);
    if (Date.now() >= endMs) return yield { check: NAME, ...others.conclude(minutes, ended) };
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(pauseMs, endMs - Date.now()))));
  }
}

/** Webhooks that were not accepted. */
class Others {
  readonly #seen = new Set<string>();
  readonly #explainedAtMs = new Map<string, number>();

  constructor(private readonly pipeline: Pipeline) {}

  *meet({ at, fields }: LogEntry): Generator<Finding> {
    const { requestId, event, code = "" } = fields;
    const id = `${at} ${requestId}`;
    // Doctor's own evaluation does not count.
    if (event === "accepted" || this.#seen.has(id)) return;
    this.#seen.add(id);
    const kind = `${event} ${code}`;
    const before = this.#explainedAtMs.get(kind);
    if (before !== undefined && at - before < SAME_MS) return;
    this.#explainedAtMs.set(kind, at);
    yield { check: `webhook of ${new Date(at).toISOString()}`, ...explained(fields, this.pipeline) };
  }

  conclude(minutes: number, ended: string | undefined): Verdict {
    const size = this.#seen.size;
    const searched = ended === undefined ? "" : `; the log was not searched to its end: ${ended}`;
    if (size > 0) {
      const detail = `none of ${count(size, "webhook")} was accepted in ${minutes} min${searched}`;
      return verdict("failed", detail, "see each reason above");
    }
    const cause = "Flagsmith calls it when an SDK gets an identity's flags from its API, not with local evaluation";
    return verdict("failed", `nothing arrived in ${minutes} min${searched}`, `${cause}; infra/RUNBOOK.md, No traffic`);
  }
}

const PROJECT = "the project's Integrations page, Webhook";

function explained({ event, code, reason, userId }: LogEntry["fields"], { receive }: Pipeline): Verdict {
  const { webhookSecretParameter: name } = receive.config;
  switch (code) {
    case "signature-wrong": {
      const detail = `signed with another secret: "Your Webhook Secret" in Flagsmith differs from parameter ${name}`;
      return verdict("warning", detail, "paste the secret again; setup shows it");
    }
    case "signature-missing": {
      const detail = "not signed: the webhook has no secret in Flagsmith, or it is another kind of webhook";
      return verdict("warning", detail, `fill in "Your Webhook Secret" on ${PROJECT}`);
    }
    case "other-event": {
      const detail =
        "another kind of webhook: it was added on the environment's or the organisation's page, not on the project's";
      return verdict("warning", detail, `remove it there, and add it on ${PROJECT}`);
    }
  }
  if (event === "ignored") return verdict("warning", `user ${userId} is skipped: ${reason}`, "another user shows more");
  const article = event === "unavailable" ? "Unavailable" : "Invalid webhooks";
  return verdict("warning", `refused: ${reason ?? code ?? event}`, `infra/RUNBOOK.md, ${article}`);
}

async function* followed(
  aws: Aws,
  pipeline: Pipeline,
  { at, fields }: LogEntry,
  progress: Terminal["progress"],
): AsyncGenerator<Finding> {
  const { userId, traitCount } = fields;
  const id = String(fields.messageId);
  const who = `${receivedBy(pipeline, userId)}, ${count(Number(traitCount), "trait")}`;
  const accepted = `accepted at ${new Date(at).toISOString()}: ${who}`;
  yield { check: NAME, ...verdict("info", accepted) };
  const result = await follow(aws, pipeline, id, progress);
  if (result.level !== "ok") return yield { check: NAME, ...result };
  const { segmentEndpoint: endpoint } = pipeline.deliver.config;
  const sinceMs = at;
  const deadlineMs = Date.now() + DEFAULT_SECONDS * 1_000;
  const terms: readonly Term[] = [
    { field: "messageId", value: id, match: "whole" },
    { field: "messageId", value: `${evaluationOf(id)}-`, match: "start" },
    { field: "mergedInto", value: id, match: "whole" },
  ];
  const { entries } = await findEntries(aws, pipeline, { terms, sinceMs, deadlineMs });
  const conclusion = conclusionOf(entries, { nowMs: Date.now(), endpoint });
  yield { check: NAME, ...verdict("ok", `${who}: ${conclusion}`) };
  const where = "Sources, the source, Debugger: an Identify call of this user with these traits";
  if (/^delivered/.test(conclusion)) yield { check: "look in Segment", ...verdict("info", where) };
}

/** Option `logUserId` decides how the log names the user. */
function receivedBy({ receive }: Pipeline, userId: unknown): string {
  return receive.config.logUserId === "hashed" ? `the user whose SHA-256 is ${userId}` : `user ${userId}`;
}
