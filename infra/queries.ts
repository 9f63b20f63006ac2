import { LOG_FIELDS as F } from "../lambda/contract";

/** Saved Logs Insights queries over both functions' logs, named by the question that they answer. */
export const QUERIES: Readonly<Record<string, string>> = {
  "What happened to this user's events": `fields @timestamp, service, ${F.event}, ${F.messageId}, ${F.attempt}, ${F.status}, ${F.reason}
| filter ${F.userId} = "<user id>"
| sort @timestamp desc
| limit 100`,
  "Which events failed and why": `fields @timestamp, service, ${F.event}, ${F.code}, ${F.status}, ${F.actor}, ${F.reason}, ${F.remedy}, ${F.messageId}, ${F.userId}
| filter ${F.event} in ["unauthorized", "invalid", "unavailable", "retrying", "dead-lettered"]
| sort @timestamp desc
| limit 200`,
  "How long from Flagsmith to Segment": `filter ${F.event} = "delivered"
| stats count(*) as calls, pct(${F.latencyMs}, 50) as p50, pct(${F.latencyMs}, 99) as p99, max(${F.latencyMs}) as worst by bin(5m)`,
  "Who sends us unsigned requests": `filter ${F.event} = "unauthorized"
| stats count(*) as requests by ${F.code}, ${F.sourceIp}
| sort requests desc`,
  "Which flags were renamed or cut": `fields @timestamp, ${F.userId}, ${F.renamed}, ${F.overwritten}, ${F.cut}
| filter ispresent(${F.renamed}) or ispresent(${F.overwritten}) or ispresent(${F.cut})
| sort @timestamp desc
| limit 100`,
  "What did we save by changes-only": `filter ${F.event} in ["delivered", "unchanged"]
| stats count(*) as calls by ${F.event}`,
};
