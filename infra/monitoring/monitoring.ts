import { Annotations, CfnMapping, Stack, Token } from "aws-cdk-lib";
import { Alarm, type CfnAlarm, type Dashboard } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnQueryDefinition } from "aws-cdk-lib/aws-logs";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { ConfigurationError } from "../../lambda/errors";
import { isJsonObject } from "../../lambda/json";
import type { Options } from "../../lambda/options";
import type { FlagsmithToSegment } from "../flagsmith-to-segment";
import { plainName } from "../name";
import { assertProps, optionErrors } from "../option-checks";
import { ALARM_OPTIONS, OPTION_NAMES } from "../option-rules";
import { type AlarmRule, type Alarms, alarmProps } from "./alarms";
import { addDashboard } from "./dashboard";
import { DELIVER_ALARMS } from "./deliver-alarms";
import type { LogSource } from "./metrics";
import { QUERIES } from "./queries";
import { NO_TRAFFIC, RECEIVE_ALARMS } from "./receive-alarms";

/** The options that are about alarms. */
export type AlarmOptions = Pick<Options, (typeof ALARM_OPTIONS)[number]>;

export interface MonitoringProps extends AlarmOptions {
  readonly pipeline: FlagsmithToSegment;
  /** Topics that get each alarm, in addition to `alarmTopicArn` and `alarmEmail`. @default - none */
  readonly alarmTopics?: readonly ITopic[] | undefined;
}

const NOT_ALARM_OPTIONS = OPTION_NAMES.filter((name) => !ALARM_OPTIONS.some((alarm) => alarm === name));

/** The console's domain by partition, which CDK's region-info does not have. The isolated partitions (aws-iso) can't reach Segment. */
const CONSOLES = {
  aws: { domain: "console.aws.amazon.com" },
  "aws-cn": { domain: "console.amazonaws.cn" },
  "aws-us-gov": { domain: "console.amazonaws-us-gov.com" },
  "aws-eusc": { domain: "console.amazonaws-eusc.eu" },
};

/**
 * Dashboard, alarms and saved queries. They use the log entries whose events and fields `names.ts` lists.
 *
 * @example
 * const { alarms } = new Monitoring(this, "Monitoring", { pipeline, alarmTopics: [onCall] });
 * alarms.DeadLetters.addAlarmAction(new SsmAction(OpsItemSeverity.HIGH));
 */
export class Monitoring extends Construct {
  readonly dashboardUrl: string;
  readonly dashboard: Dashboard;
  /** By construct id. */
  readonly alarms: Alarms;
  /** The topic of `alarmEmail`. */
  readonly topic: Topic | undefined;

  /** @throws ConfigurationError for an option that is unknown or not allowed. */
  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    const { pipeline, alarmTopics = [], ...options } = assertProps(props, id);
    const { region } = Stack.of(this);
    const isPipeline = isJsonObject(pipeline) && "deadLetterQueue" in pipeline;
    const errors = [
      ...(isPipeline ? [] : [`${id}.pipeline: allowed is a FlagsmithToSegment`]),
      ...optionErrors(options, { where: id, without: NOT_ALARM_OPTIONS, region }),
    ];
    if (errors.length > 0) throw new ConfigurationError(errors);
    // A dashboard's name must be unique in an account across all regions.
    const dashboardName = `${plainName(pipeline.name)}-${region}`;
    const cloudWatch = `https://${region}.${this.consoleDomain()}/cloudwatch/home?region=${region}`;
    this.dashboardUrl = `${cloudWatch}#dashboards/dashboard/${dashboardName}`;
    if (options.alarmEmail !== undefined) this.topic = this.addMailTopic(options.alarmEmail);
    const alarms = this.addAlarms(pipeline, options, this.topicsOf(options.alarmTopicArn, alarmTopics));
    this.alarms = Object.fromEntries(alarms.map((alarm) => [alarm.node.id, alarm])) as unknown as Alarms;
    this.dashboard = addDashboard(this, { dashboardName, pipeline, alarms, insightsUrl: `${cloudWatch}#logsV2:logs-insights` });
    this.addQueries(pipeline);
    warnIfNoOneIsNotified(this, alarms);
  }

  private consoleDomain(): string {
    const { partition } = Stack.of(this);
    const known = Object.entries(CONSOLES).find(([name]) => name === partition);
    if (!Token.isUnresolved(partition)) return (known?.[1] ?? CONSOLES.aws).domain;
    return new CfnMapping(this, "Consoles", { mapping: CONSOLES }).findInMap(partition, "domain");
  }

  private addAlarms(pipeline: FlagsmithToSegment, options: AlarmOptions, topics: readonly ITopic[]): readonly Alarm[] {
    const { expectTraffic, runbookUrl } = options;
    const add = (rule: AlarmRule, quietHours?: number): Alarm => {
      const alarm = new Alarm(this, rule.id, {
        alarmName: `${pipeline.name} ${rule.title}`,
        alarmDescription: this.describe(rule, pipeline, runbookUrl),
        ...alarmProps(rule, pipeline, quietHours),
      });
      for (const topic of topics) {
        alarm.addAlarmAction(new SnsAction(topic));
        // Incident tools close the incident when the alarm recovers.
        alarm.addOkAction(new SnsAction(topic));
      }
      return alarm;
    };
    const rules = [...RECEIVE_ALARMS, ...DELIVER_ALARMS].filter(({ of = () => true }) => of(pipeline));
    const alarms = rules.map((rule) => add(rule));
    return expectTraffic === undefined ? alarms : [...alarms, add(NO_TRAFFIC, expectTraffic)];
  }

  /** CloudWatch allows 1,024 characters, including the region and the names. */
  private describe(
    { severity, impact, query, fix, title }: AlarmRule,
    { name }: FlagsmithToSegment,
    runbookUrl?: string,
  ): string {
    const runbook = runbookUrl ?? `infra/RUNBOOK.md of flagsmith-to-segment, "${title}"`;
    return [
      `[${severity}] ${impact}`,
      `Fix: ${fix}`,
      `Dashboard: ${this.dashboardUrl}`,
      `Saved query: ${name}/${query}?`,
      `Runbook: ${runbook}`,
    ].join("\n");
  }

  private topicsOf(alarmTopicArn: string | undefined, alarmTopics: readonly ITopic[]): readonly ITopic[] {
    const given = alarmTopicArn === undefined ? [] : [Topic.fromTopicArn(this, "GivenTopic", alarmTopicArn)];
    return [...given, ...(this.topic === undefined ? [] : [this.topic]), ...alarmTopics];
  }

  private addMailTopic(address: string): Topic {
    const topic = new Topic(this, "Alarms", { enforceSSL: true });
    // enforceSSL replaces the topic's default policy, which permits publishing.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AlarmsPublish",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    );
    topic.addSubscription(new EmailSubscription(address));
    return topic;
  }

  private addQueries({ name, receive, deliver, accessLogs }: FlagsmithToSegment): void {
    const groups: Readonly<Record<LogSource, string>> = {
      receive: receive.logGroup.logGroupName,
      deliver: deliver.logGroup.logGroupName,
      access: accessLogs.logGroupName,
    };
    for (const [question, { logs, text: queryString }] of Object.entries(QUERIES)) {
      const id = `Query${question.replace(/\W/g, "")}`;
      const logGroupNames = logs.map((source) => groups[source]);
      new CfnQueryDefinition(this, id, { name: `${name}/${question}?`, logGroupNames, queryString });
    }
  }
}

/** This runs after all aspects, so it sees the actions that the app itself has added. */
function warnIfNoOneIsNotified(monitoring: Monitoring, alarms: readonly Alarm[]): void {
  monitoring.node.addValidation({
    validate: () => {
      const actions = alarms.map(({ node }) => Stack.of(monitoring).resolve((node.defaultChild as CfnAlarm).alarmActions));
      if (actions.every((action) => action === undefined || action.length === 0)) {
        const message =
          "No one is notified of alarms: set alarmEmail, alarmTopicArn or alarmTopics, or add actions to the alarms.";
        Annotations.of(monitoring).addWarningV2("flagsmith-to-segment:no-alarm-receiver", message);
      }
      return [];
    },
  });
}
