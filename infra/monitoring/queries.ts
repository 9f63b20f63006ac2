import type { LogSource } from "./metrics";

interface Query {
  readonly logs: readonly LogSource[];
  readonly text: string;
}

const BOTH = ["receive", "deliver"] as const;

/** Saved Logs Insights queries. Each is named after the question that it answers. Fields are those of `names.ts` and of the access log. */
export const QUERIES = {
  "What happened to this user's events": {
    logs: BOTH,
    text: `fields @timestamp, service, event, messageId, mergedInto, attempt, status, reason
| filter userId = "<user id>"
| sort @timestamp desc
| limit 100`,
  },
  "Which events failed and why": {
    logs: BOTH,
    text: `fields @timestamp, service, event, code, status, actor, reason, remedy, messageId, userId
| filter event in ["unauthorized", "invalid", "unavailable", "retrying", "dead-lettered", "parameter-stale", "not-recorded", "misconfigured", "log-level-hides-entries"]
| sort @timestamp desc
| limit 200`,
  },
  "Which dead letters and why": {
    logs: ["deliver"],
    text: `filter event = "dead-lettered"
| stats count(*) as messages, count_distinct(userId) as users, latest(messageId) as lastMessageId by reason, status
| sort messages desc`,
  },
  "How long from Flagsmith to Segment": {
    logs: ["deliver"],
    text: `filter event in ["delivered", "merged"]
| stats count(*) as calls, pct(latencyMs, 50) as p50, pct(latencyMs, 99) as p99, max(latencyMs) as worst by bin(5m)`,
  },
  "Who sends us unsigned requests": {
    logs: ["receive"],
    text: `filter event = "unauthorized"
| stats count(*) as requests by code, sourceIp
| sort requests desc`,
  },
  "What did API Gateway refuse": {
    logs: ["access"],
    text: `filter integrationStatus = "-"
| stats count(*) as requests by status, sourceIp, userAgent
| sort requests desc`,
  },
  "Whose calls are merged": {
    logs: ["deliver"],
    text: `filter event = "merged"
| stats count(*) as messages, count_distinct(mergedInto) as calls by userId
| sort messages desc
| limit 50`,
  },
  "Who is left out": {
    logs: ["receive"],
    text: `filter event = "ignored"
| stats count(*) as webhooks by code, userId
| sort webhooks desc
| limit 50`,
  },
  "Which flags were renamed or cut": {
    logs: ["receive"],
    text: `fields @timestamp, userId, renamed, overwritten, cut, reservedColumns, sameColumn
| filter ispresent(renamed) or ispresent(overwritten) or ispresent(cut) or ispresent(reservedColumns) or ispresent(sameColumn)
| sort @timestamp desc
| limit 100`,
  },
  "What did we save by changes-only": {
    logs: ["deliver"],
    text: `filter event in ["delivered", "merged", "unchanged"]
| stats count(*) as calls by event`,
  },
} as const satisfies Readonly<Record<string, Query>>;

export type Question = keyof typeof QUERIES;
