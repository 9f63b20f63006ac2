/** Saved Logs Insights queries over both functions' logs, named by the question that they answer. Fields are those of `names.ts`. */
export const QUERIES: Readonly<Record<string, string>> = {
  "What happened to this user's events": `fields @timestamp, service, event, messageId, attempt, status, reason
| filter userId = "<user id>"
| sort @timestamp desc
| limit 100`,
  "Which events failed and why": `fields @timestamp, service, event, code, status, actor, reason, remedy, messageId, userId
| filter event in ["unauthorized", "invalid", "unavailable", "retrying", "dead-lettered"]
| sort @timestamp desc
| limit 200`,
  "How long from Flagsmith to Segment": `filter event = "delivered"
| stats count(*) as calls, pct(latencyMs, 50) as p50, pct(latencyMs, 99) as p99, max(latencyMs) as worst by bin(5m)`,
  "Who sends us unsigned requests": `filter event = "unauthorized"
| stats count(*) as requests by code, sourceIp
| sort requests desc`,
  "Which flags were renamed or cut": `fields @timestamp, userId, renamed, overwritten, cut
| filter ispresent(renamed) or ispresent(overwritten) or ispresent(cut)
| sort @timestamp desc
| limit 100`,
  "What did we save by changes-only": `filter event in ["delivered", "unchanged"]
| stats count(*) as calls by event`,
};
