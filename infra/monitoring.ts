import { Stack } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnQueryDefinition } from "aws-cdk-lib/aws-logs";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { alarmRules } from "./alarms";
import { addDashboard } from "./dashboard";
import type { FlagsmithToSegment } from "./flagsmith-to-segment";
import { QUERIES } from "./queries";

export interface AlarmOptions {
  /** Gets a mail for each alarm, once the address confirmed it. @default - nobody */
  readonly alarmEmail?: string | undefined;
  /** An SNS topic that gets each alarm. @default - none */
  readonly alarmTopicArn?: string | undefined;
}

export interface MonitoringProps extends AlarmOptions {
  readonly road: FlagsmithToSegment;
}

/** What people look at who run this: dashboard, alarms, saved queries, all over the lines that `contract.ts` names. */
export class Monitoring extends Construct {
  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    const { road } = props;
    addDashboard(this, road);
    this.addAlarms(road, this.topics(props));
    for (const [question, queryString] of Object.entries(QUERIES)) {
      new CfnQueryDefinition(this, `Query${question.replace(/\W/g, "")}`, {
        name: `${Stack.of(this).stackName}/${question}?`,
        logGroupNames: road.logGroupNames,
        queryString,
      });
    }
  }

  private topics(props: MonitoringProps): readonly ITopic[] {
    const topics: ITopic[] = [];
    if (props.alarmTopicArn !== undefined) {
      topics.push(Topic.fromTopicArn(this, "GivenTopic", props.alarmTopicArn));
    }
    if (props.alarmEmail !== undefined) {
      const topic = new Topic(this, "Alarms", { enforceSSL: true });
      // TLS-only replaces the topic's own policy, and with it the leave to publish.
      topic.addToResourcePolicy(
        new PolicyStatement({
          sid: "AlarmsPublish",
          principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
          actions: ["sns:Publish"],
          resources: [topic.topicArn],
          conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
        }),
      );
      topic.addSubscription(new EmailSubscription(props.alarmEmail));
      topics.push(topic);
    }
    return topics;
  }

  private addAlarms(road: FlagsmithToSegment, topics: readonly ITopic[]): void {
    for (const { id, title, impact, metric, threshold, periods, datapoints = periods } of alarmRules(road)) {
      const alarm = new Alarm(this, id, {
        alarmName: `${Stack.of(this).stackName} ${title}`,
        alarmDescription: `${impact} What to do: README, runbook, "${title}" (#${title.toLowerCase().replaceAll(" ", "-")}).`,
        metric,
        threshold,
        evaluationPeriods: periods,
        datapointsToAlarm: datapoints,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        // A quiet night has no lines, and so no numbers.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      for (const topic of topics) alarm.addAlarmAction(new SnsAction(topic));
    }
  }
}
