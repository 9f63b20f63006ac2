import { type AlarmHistoryItem, DescribeAlarmHistoryCommand, type MetricAlarm } from "@aws-sdk/client-cloudwatch";
import { required } from "../answer";
import type { Aws } from "../aws";
import { type Finding, verdict } from "./finding";

/** An alarm usually has one action per topic and state, so the 20 newest records include the newest action of each receiver. */
const MAX_RECORDS = 20;

/** The result of an alarm's newest action for one receiver. */
interface Action {
  readonly alarm: string;
  readonly receiver: string;
  readonly at: Date | undefined;
  readonly failed: boolean;
  readonly text: string;
}

/** Reads each alarm's history, because an action for which CloudWatch has no permission fails silently. */
export async function actionFindings(aws: Aws, alarms: readonly MetricAlarm[]): Promise<readonly Finding[]> {
  const actions: Action[] = [];
  const never: string[] = [];
  for (const { AlarmName: alarm = "" } of alarms) {
    const newest = newestActions(alarm, await historyOf(aws, alarm));
    actions.push(...newest);
    if (newest.length === 0) never.push(alarm);
  }
  const failed = actions.filter((action) => action.failed);
  const findings = failed.map(({ alarm, receiver, at, text }): Finding => {
    const [why, fix] = causeOf(text, receiver);
    return { check: alarm, ...verdict("failed", `its action of ${at?.toISOString()} failed: ${why}`, fix) };
  });
  if (actions.length > failed.length) {
    findings.push({ check: "alarm history", ...verdict("ok", `${actions.length - failed.length} newest actions succeeded`) });
  }
  return never.length === 0 ? findings : [...findings, untried(never, aws.region)];
}

async function historyOf({ cloudWatch }: Aws, AlarmName: string): Promise<readonly AlarmHistoryItem[]> {
  const { AlarmHistoryItems: items } = await cloudWatch.send(
    new DescribeAlarmHistoryCommand({
      AlarmName,
      HistoryItemType: "Action",
      ScanBy: "TimestampDescending",
      MaxRecords: MAX_RECORDS,
    }),
  );
  return required(items, "AlarmHistoryItems");
}

/** The newest action of each receiver. */
function newestActions(alarm: string, items: readonly AlarmHistoryItem[]): readonly Action[] {
  const byTime = [...items].sort((one, other) => Number(other.Timestamp) - Number(one.Timestamp));
  const newest = new Map<string, Action>();
  for (const { HistorySummary: summary = "", HistoryData: data = "", Timestamp: at } of byTime) {
    const [, receiver = ""] = /action "?(arn:[^\s"]*[^\s".])/.exec(summary) ?? [];
    if (newest.has(receiver)) continue;
    newest.set(receiver, { alarm, receiver, at, failed: !/^Successfully/.test(summary), text: `${summary} ${data}` });
  }
  return [...newest.values()];
}

/** Explains CloudWatch's error if its meaning is known. Otherwise it returns CloudWatch's own text. */
function causeOf(text: string, receiver: string): readonly [why: string, fix: string] {
  if (/not authorized to perform: SNS:Publish/i.test(text)) {
    return [`CloudWatch may not publish to ${receiver}`, "let cloudwatch.amazonaws.com do sns:Publish in the topic's policy"];
  }
  if (/KMS/i.test(text) && /AccessDenied|not authorized/i.test(text)) {
    const fix = "let cloudwatch.amazonaws.com use kms:Decrypt and kms:GenerateDataKey* in the policy of that key";
    return [`CloudWatch may not use the KMS key of ${receiver}`, fix];
  }
  return [text.slice(0, 300).trim(), ""];
}

function untried(names: readonly string[], region: string): Finding {
  const detail = `no action so far, so whether one works was not seen: ${names.join(", ")}`;
  const command = `aws cloudwatch set-alarm-state --region ${region} --alarm-name '${names[0]}' --state-value ALARM --state-reason test`;
  return { check: "alarm history", ...verdict("skip", detail, `this tries one: ${command}`) };
}
