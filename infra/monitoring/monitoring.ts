import { Stack } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnQueryDefinition } from "aws-cdk-lib/aws-logs";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import type { FlagsmithToSegment } from "../flagsmith-to-segment";
import { ALARMS, metricOf } from "./alarms";
import { addDashboard } from "./dashboard";
import { QUERIES } from "./queries";

export interface AlarmOptions {
  /** Gets a mail for each alarm, once the address confirmed it. @default - nobody */
  readonly alarmEmail?: string | undefined;
  /** An SNS topic that gets each alarm. @default - none */
  readonly alarmTopicArn?: string | undefined;
}

export interface MonitoringProps extends AlarmOptions {
  readonly pipeline: FlagsmithToSegment;
}

/** Dashboard, alarms and saved queries, all over the log lines whose events and fields `names.ts` lists. */
export class Monitoring extends Construct {
  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    const { pipeline } = props;
    addDashboard(this, pipeline);
    this.addAlarms(pipeline, this.topics(props));
    for (const [question, queryString] of Object.entries(QUERIES)) {
      new CfnQueryDefinition(this, `Query${question.replace(/\W/g, "")}`, {
        name: `${Stack.of(this).stackName}/${question}?`,
        logGroupNames: pipeline.logGroupNames,
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
      // enforceSSL replaces the topic's own policy, and with it the permission to publish.
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

  private addAlarms(pipeline: FlagsmithToSegment, topics: readonly ITopic[]): void {
    for (const rule of ALARMS) {
      const { id, title, impact, threshold = 0, periods = 1, datapoints = periods } = rule;
      const alarm = new Alarm(this, id, {
        alarmName: `${Stack.of(this).stackName} ${title}`,
        alarmDescription: `${impact} What to do: README, runbook, "${title}" (#${title.toLowerCase().replaceAll(" ", "-")}).`,
        metric: metricOf(rule, pipeline),
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
