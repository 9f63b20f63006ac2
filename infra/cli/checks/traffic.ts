import type { Aws } from "../aws";
import { DEFAULT_SECONDS } from "../command";
import { findEntries, type LogEntry } from "../log-entries";
import type { Pipeline } from "../pipeline";
import { type Check, type Finding, verdict } from "./finding";

const HOURS = 24;
const HOUR_MS = 3_600_000;

/** The newest entry of each kind is searched. Merged, unchanged and dry-run calls count as delivered: they are settled as intended. */
const NEWEST = {
  accepted: { events: ["accepted"], article: "No traffic" },
  delivered: { events: ["delivered", "merged", "unchanged", "dry-run"], article: "Nothing delivered" },
} as const;

/** Fields in receive's entries for traits that a warehouse behind Segment loses, and what the warehouse does with them. */
const COLUMNS = {
  reservedColumns: "warehouses drop these traits, whose columns are Segment's own",
  sameColumn: "these traits share a column in warehouses, and one value of them is kept",
} as const;

/** Reports the newest log entry of each kind. */
export function trafficCheck(aws: Aws, pipeline: Pipeline, progress: (text: string) => void): Check {
  return {
    name: "log",
    needs: "logs:FilterLogEvents on both functions' log groups",
    look: async () => {
      progress(`searching the log for traffic of the last ${HOURS} hours`);
      const kinds = Object.values(NEWEST);
      const { entries, searchedSinceMs, ended } = await findEntries(aws, pipeline, {
        terms: kinds.flatMap(({ events }) => events.map((value) => ({ field: "event", value, match: "whole" }) as const)),
        sinceMs: Date.now() - HOURS * HOUR_MS,
        deadlineMs: Date.now() + DEFAULT_SECONDS * 1_000,
        isEnough: (found) => kinds.every(({ events }) => newestOf(found, events) !== undefined),
        progress,
      });
      const traffic = Object.entries(NEWEST).map(([kind, { events, article }]): Finding => {
        const check = `newest ${kind}`;
        const newest = newestOf(entries, events);
        if (newest !== undefined) {
          const as = newest.fields.event === kind ? "" : `, as ${newest.fields.event}`;
          return { check, ...verdict("ok", `${new Date(newest.at).toISOString()}${as}`) };
        }
        const since = new Date(searchedSinceMs).toISOString();
        if (ended !== undefined)
          return { check, ...verdict("skip", `none since ${since}; earlier was not looked at: ${ended}`) };
        return { check, ...verdict("warning", `none in ${HOURS} hours`, `infra/RUNBOOK.md, ${article}`) };
      });
      return [...traffic, ...columnFindings(entries)];
    },
  };
}

/** These findings are not warnings, because nothing is lost if there is no warehouse. */
function columnFindings(entries: readonly LogEntry[]): readonly Finding[] {
  return Object.entries(COLUMNS).flatMap(([check, meaning]): readonly Finding[] => {
    const newest = newestOf(
      entries.filter(({ fields }) => fields[check] !== undefined),
      NEWEST.accepted.events,
    );
    if (newest === undefined) return [];
    const wayOut = "if you use one, set option traitPrefix or give the flag another name in Flagsmith";
    const detail = `${newest.fields[check]} (${new Date(newest.at).toISOString()}); ${meaning}; ${wayOut}`;
    return [{ check, ...verdict("info", detail) }];
  });
}

function newestOf(entries: readonly LogEntry[], events: readonly string[]): LogEntry | undefined {
  const of = entries.filter(({ fields }) => events.includes(String(fields.event)));
  return of.reduce<LogEntry | undefined>(
    (newest, one) => (newest === undefined || one.at > newest.at ? one : newest),
    undefined,
  );
}
