import { type MetricAlarm, paginateDescribeAlarms } from "@aws-sdk/client-cloudwatch";
import { paginateListSubscriptionsByTopic, type Subscription } from "@aws-sdk/client-sns";
import type { Aws } from "../aws";
import type { Pipeline } from "../pipeline";
import { type Check, type Verdict, verdict } from "./finding";

const isTopic = (arn: string) => arn.split(":")[2] === "sns";

/** Whether an alarm fires, and whether somebody hears of it. */
export function alarmChecks(aws: Aws, { stackName }: Pipeline): readonly Check[] {
  // A pipeline's name is its stack's, and its path within it.
  const isOurs = ({ AlarmName: name = "" }: MetricAlarm) => /^[ /]/.test(name.slice(stackName.length));
  const alarmsOf = async (): Promise<readonly MetricAlarm[]> => {
    const alarms: MetricAlarm[] = [];
    for await (const page of paginateDescribeAlarms({ client: aws.cloudWatch }, { AlarmNamePrefix: stackName })) {
      alarms.push(...(page.MetricAlarms ?? []).filter(isOurs));
    }
    return alarms;
  };
  return [
    {
      name: "alarms",
      needs: "your credentials need cloudwatch:DescribeAlarms",
      look: async () => {
        const alarms = await alarmsOf();
        const firing = alarms.filter(({ StateValue: state }) => state === "ALARM").map(({ AlarmName: name }) => name);
        if (alarms.length === 0) return verdict("warning", "there are none", "add Monitoring beside the pipeline");
        const detail = firing.length === 0 ? `none of ${alarms.length} fires` : `${firing.join(", ")} fires`;
        return verdict(firing.length === 0 ? "ok" : "warning", detail, "RUNBOOK.md has an article of that name");
      },
    },
    {
      name: "alarm receivers",
      needs: "your credentials need cloudwatch:DescribeAlarms, and sns:ListSubscriptionsByTopic on the topics",
      look: async () => {
        const topics = new Set((await alarmsOf()).flatMap(({ AlarmActions: actions = [] }) => actions.filter(isTopic)));
        const subscriptions = await Promise.all([...topics].map((topic) => subscriptionsOf(aws, topic)));
        return judgeReceivers(subscriptions.flat());
      },
    },
  ];
}

async function subscriptionsOf({ sns }: Aws, TopicArn: string): Promise<readonly Subscription[]> {
  const subscriptions: Subscription[] = [];
  for await (const { Subscriptions: found = [] } of paginateListSubscriptionsByTopic({ client: sns }, { TopicArn })) {
    subscriptions.push(...found.filter(({ SubscriptionArn: arn }) => arn !== "Deleted"));
  }
  return subscriptions;
}

function judgeReceivers(subscriptions: readonly Subscription[]): Verdict {
  const pending = subscriptions.filter(({ SubscriptionArn: arn }) => arn === "PendingConfirmation");
  const confirmed = subscriptions.length - pending.length;
  const detail = `${confirmed} confirmed, ${pending.length} unconfirmed`;
  if (pending.length > 0) {
    const who = pending.map(({ Endpoint: address }) => address).join(", ");
    return verdict("warning", detail, `open AWS's mail to ${who}, and confirm`);
  }
  const fix = "nobody hears of an alarm: set option alarmEmail or alarmTopicArn";
  return verdict(confirmed > 0 ? "ok" : "warning", detail, fix);
}
