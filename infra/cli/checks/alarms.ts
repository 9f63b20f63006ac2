import { type MetricAlarm, paginateDescribeAlarms } from "@aws-sdk/client-cloudwatch";
import { required } from "../answer";
import type { Aws } from "../aws";
import type { Pipeline } from "../pipeline";
import { actionFindings } from "./alarm-actions";
import { type Check, type Finding, UNNAMED, verdict } from "./finding";
import { receiversOf } from "./receivers";

const namesOf = (alarms: readonly MetricAlarm[]) => alarms.map(({ AlarmName: name = "" }) => name);
const isTopic = (arn: string) => arn.split(":")[2] === "sns";

/** Checks whether alarms fire, and whether their receivers are notified. Each alarm and each topic is judged separately. */
export function alarmChecks(aws: Aws, { name }: Pipeline): readonly Check[] {
  if (name === undefined) return [{ name: "alarms", needs: "nothing", look: async () => verdict("skip", UNNAMED) }];
  let known: Promise<readonly MetricAlarm[]> | undefined;
  const alarms = () => {
    known ??= alarmsOf(aws, name);
    return known;
  };
  const needs = "cloudwatch:DescribeAlarms";
  return [
    { name: "alarms", needs, look: async () => judgeStates(await alarms(), name) },
    { name: "alarm actions", needs, look: async () => judgeActions(await alarms(), aws.region) },
    {
      name: "alarm receivers",
      needs: `${needs}, and sns:ListSubscriptionsByTopic on the topics`,
      look: async () => {
        const topics = new Set((await alarms()).flatMap(({ AlarmActions: actions = [] }) => actions.filter(isTopic)));
        return (await Promise.all([...topics].map((topic) => receiversOf(aws, topic)))).flat();
      },
    },
    {
      name: "alarm history",
      needs: "cloudwatch:DescribeAlarmHistory",
      look: async () =>
        actionFindings(
          aws,
          (await alarms()).filter(({ AlarmActions: actions = [] }) => actions.length > 0),
        ),
    },
  ];
}

/** The names of a pipeline's alarms begin with the pipeline's name and a blank. */
async function alarmsOf({ cloudWatch }: Aws, name: string): Promise<readonly MetricAlarm[]> {
  const alarms: MetricAlarm[] = [];
  const AlarmNamePrefix = `${name} `;
  for await (const page of paginateDescribeAlarms({ client: cloudWatch }, { AlarmNamePrefix })) {
    const found = required(page.MetricAlarms, "MetricAlarms");
    alarms.push(...found.filter(({ AlarmName = "" }) => AlarmName.startsWith(AlarmNamePrefix)));
  }
  return alarms;
}

function judgeStates(alarms: readonly MetricAlarm[], name: string): readonly Finding[] {
  const check = "alarms";
  if (alarms.length === 0) {
    return [{ check, ...verdict("warning", `there are none of ${name}`, "add Monitoring beside the pipeline") }];
  }
  const firing = alarms.filter(({ StateValue: state }) => state === "ALARM");
  if (firing.length === 0) return [{ check, ...verdict("ok", `none of ${alarms.length} fires`) }];
  return firing.map(({ AlarmName: alarm = "", StateUpdatedTimestamp: since }) => {
    const detail = `fires${since === undefined ? "" : ` since ${since.toISOString()}`}`;
    return { check: alarm, ...verdict("warning", detail, `infra/RUNBOOK.md, ${alarm.slice(`${name} `.length)}`) };
  });
}

function judgeActions(alarms: readonly MetricAlarm[], region: string): readonly Finding[] {
  const check = "alarm actions";
  const findings: Finding[] = [];
  const silent = alarms.filter(({ AlarmActions: actions = [] }) => actions.length === 0);
  if (silent.length > 0) {
    const fix = "set option alarmEmail or alarmTopicArn, and deploy";
    findings.push({ check, ...verdict("warning", `no action, so no one is notified: ${namesOf(silent).join(", ")}`, fix) });
  }
  const disabled = alarms.filter(({ ActionsEnabled: enabled }) => enabled === false);
  if (disabled.length > 0) {
    const quoted = namesOf(disabled).map((name) => `'${name}'`);
    const fix = `aws cloudwatch enable-alarm-actions --region ${region} --alarm-names ${quoted.join(" ")}`;
    findings.push({ check, ...verdict("warning", `actions are disabled: ${namesOf(disabled).join(", ")}`, fix) });
  }
  const others = new Set(alarms.flatMap(({ AlarmActions: actions = [] }) => actions.filter((arn) => !isTopic(arn))));
  for (const arn of others)
    findings.push({ check, ...verdict("skip", `${arn} is no SNS topic: whether users learn by it was not looked at`) });
  return findings.length > 0 || alarms.length === 0 ? findings : [{ check, ...verdict("ok", "each alarm has one, enabled") }];
}
