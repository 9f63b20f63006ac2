import { DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";
import { ListSubscriptionsByTopicCommand, paginateListSubscriptionsByTopic, type Subscription } from "@aws-sdk/client-sns";
import { required } from "../answer";
import type { Aws } from "../aws";
import type { Pipeline } from "../pipeline";
import { type Check, type Finding, type Verdict, verdict } from "./finding";

/** Each topic needs its own confirmed subscription, because an alarm notifies only the subscribers of its topic. */
export async function receiversOf({ sns, region }: Aws, TopicArn: string): Promise<readonly Finding[]> {
  const subscriptions: Subscription[] = [];
  for await (const page of paginateListSubscriptionsByTopic({ client: sns }, { TopicArn })) {
    subscriptions.push(...required(page.Subscriptions, "Subscriptions"));
  }
  return judge(subscriptions, TopicArn, region).map((found) => ({ check: `topic ${TopicArn}`, ...found }));
}

function judge(subscriptions: readonly Subscription[], topic: string, region: string): readonly Verdict[] {
  const inState = (state: string) => subscriptions.filter(({ SubscriptionArn: arn }) => arn === state);
  const pending = inState("PendingConfirmation");
  const confirmed = subscriptions.filter(({ SubscriptionArn: arn = "" }) => arn.startsWith("arn:"));
  // SNS lists a cancelled subscription for some days, in addition to the one that replaced it.
  const replaced = new Set([...pending, ...confirmed].map(({ Endpoint: address }) => address));
  const cancelled = inState("Deleted").filter(({ Endpoint: address }) => !replaced.has(address));
  const none = confirmed.length > 0 ? "" : "no confirmed subscription, so no one is notified of alarms; ";
  const verdicts = [
    ...cancelled.map((one) => {
      const detail = `${none}cancelled by its receiver: ${one.Endpoint}; a deploy does not bring it back`;
      return verdict("warning", detail, `${subscribe(one, topic, region)}; then ${confirm(topic, region)}`);
    }),
    ...pending.map((one) => {
      const detail = `${none}not confirmed: ${one.Endpoint}`;
      return verdict("warning", detail, `${confirm(topic, region)}; for a new mail: ${subscribe(one, topic, region)}`);
    }),
  ];
  if (confirmed.length > 0) {
    const addresses = confirmed.map(({ Endpoint: address }) => address).join(", ");
    return [verdict("ok", `confirmed: ${addresses}`), ...verdicts];
  }
  if (verdicts.length > 0) return verdicts;
  const fix = `${subscribe({}, topic, region)}; then ${confirm(topic, region)}`;
  return [verdict("warning", "no subscription, so no one is notified of alarms", fix)];
}

function subscribe({ Protocol = "email", Endpoint = "<address>" }: Subscription, topic: string, region: string): string {
  return `aws sns subscribe --region ${region} --topic-arn ${topic} --protocol ${Protocol} --notification-endpoint ${Endpoint}`;
}

/** Without this option, the link in every mail cancels the subscription without a login, and mail filters follow links. */
function confirm(topic: string, region: string): string {
  const authenticated = "--authenticate-on-unsubscribe true --token <Token in the mail's link>";
  return `aws sns confirm-subscription --region ${region} --topic-arn ${topic} ${authenticated}`;
}

/** With `npm start`, the only subscriptions are those in the template. */
export function templateReceiversCheck({ cloudWatch, sns }: Aws, { stackName }: Pipeline): Check {
  return {
    name: "alarm receivers",
    needs: "nothing",
    look: async () => {
      const { MetricAlarms: alarms = [] } = await cloudWatch.send(new DescribeAlarmsCommand({ AlarmNamePrefix: stackName }));
      const topics = new Set(alarms.flatMap(({ AlarmActions: actions = [] }) => actions));
      const pages = await Promise.all(
        [...topics].map((TopicArn) => sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }))),
      );
      const addresses = pages.flatMap(({ Subscriptions: found = [] }) => found.map(({ Endpoint: address }) => address));
      return verdict("info", addresses.length === 0 ? "none in the template" : `in the template: ${addresses.join(", ")}`);
    },
  };
}
