import { readFileSync } from "node:fs";
import { join } from "node:path";
import { App, Aspects, type IAspect, Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { CfnAlarm } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Topic } from "aws-cdk-lib/aws-sns";
import { FlagsmithToSegment } from "../../infra/flagsmith-to-segment";
import { Monitoring, type MonitoringProps } from "../../infra/monitoring/monitoring";
import { QUERIES } from "../../infra/monitoring/queries";
import { LOG_EVENTS, PLACEHOLDERS } from "../../lambda/names";
import { alarmsOver, type Series } from "../support/alarm";
import { templateOf } from "../support/synth";

const template = templateOf();
const complete = templateOf({ forward: "changes", expectTraffic: 2, runbookUrl: "https://wiki.example.com/flagsmith" });
const unmerged = templateOf({ mergeBacklog: false });

const runbook = readFileSync(join(__dirname, "../../infra/RUNBOOK.md"), "utf8");

const alarmsOf = (from: Template) =>
  Object.values(from.findResources("AWS::CloudWatch::Alarm")).map(({ Properties: properties }) => properties);

/** Two hours, in periods of five minutes. */
const PERIODS = 24;
type Numbers = readonly (number | undefined)[];
const steady = (value: number | undefined): Numbers => Array(PERIODS).fill(value);
const during = (from: number, to: number, inside: number, outside?: number): Numbers =>
  steady(outside).map((value, index) => (index >= from && index < to ? inside : value));
const every = (periods: number, value: number): Numbers =>
  steady(undefined).map((_, index) => (index % periods === 0 ? value : undefined));

const SENT = "Queue NumberOfMessagesSent";
const DELETED = "Queue NumberOfMessagesDeleted";
const VISIBLE = "Queue ApproximateNumberOfMessagesVisible";
const IN_FLIGHT = "Queue ApproximateNumberOfMessagesNotVisible";
const AGE = "Queue ApproximateAgeOfOldestMessage";
const DEAD = "DeadLetterQueue ApproximateNumberOfMessagesVisible";

/** AWS's own metrics of a pipeline with traffic. No entry that the pipeline's own metrics count was ever written. */
const traffic: Series = {
  ...{ "Receive Invocations": steady(100), "Receive Errors": steady(0), "Receive Throttles": steady(0) },
  ...{ "Deliver Errors": steady(0), [SENT]: steady(100), [DELETED]: steady(100), [AGE]: steady(2), [DEAD]: steady(0) },
};
const outage: Series = { [DELETED]: during(6, 18, 0, 100), [AGE]: during(9, 19, 3_600, 2) };

type Scenario = readonly [title: string, series: Series, ...alarms: readonly string[]];

const BESIDE_TRAFFIC: readonly Scenario[] = [
  ["normal days", {}],
  ["a quiet night with one unsigned webhook per hour", { "Receive Invocations": every(12, 2), Unsigned: every(12, 1) }],
  ["an outage of Segment", { ...outage, Overdue: during(9, 18, 40) }, "Backlog", "Nothing delivered", "Calls fail for long"],
  ["an outage of 15 minutes", { [DELETED]: during(6, 9, 0, 100) }],
  ["an outage of half an hour", { [DELETED]: during(6, 12, 0, 100) }, "Nothing delivered"],
  ["messages that wait for 15 minutes", { [AGE]: steady(900) }],
  ["messages that wait for longer", { [AGE]: steady(901) }, "Backlog"],
  ["59,999 messages, a third of them in flight", { [VISIBLE]: steady(40_000), [IN_FLIGHT]: steady(19_999) }],
  ["60,000 messages, a third of them in flight", { [VISIBLE]: steady(40_000), [IN_FLIGHT]: steady(20_000) }, "Long queue"],
  ["a time in which deliver is never invoked", { ...outage, "Deliver Errors": [] }, "Backlog", "Nothing delivered"],
  ["failures of one user, whose messages SQS excludes from the age", { Overdue: every(8, 1) }, "Calls fail for long"],
  ["a time in which the dead-letter queue is not empty", { [DEAD]: during(9, PERIODS, 1, 0) }, "Dead letters wait"],
  ["the dead-lettering of one message", { DeadLettered: during(9, 10, 1) }, "Dead letters"],
  ["the dead-lettering of a message every hour", { DeadLettered: every(12, 1) }, "Dead letters"],
  ["a rotation of the secret in Flagsmith only", { WrongSignature: during(10, 14, 90) }, "Wrong secret"],
  ["as many wrong signatures as right ones", { WrongSignature: steady(50) }],
  ["more wrong signatures than right ones", { WrongSignature: steady(51) }, "Wrong secret"],
  ["unsigned webhooks, nine of ten of all", { Unsigned: steady(90) }],
  ["unsigned webhooks, 91 % of all", { Unsigned: steady(91) }, "Unsigned webhooks"],
  ["webhooks with a field that Flagsmith renamed", { Invalid: steady(100) }, "Invalid webhooks"],
  ["the time after the secret was deleted", { Unavailable: during(3, 4, 1) }, "Unavailable"],
  ["a placeholder in a parameter", { PlaceholderSecret: steady(1) }, "Placeholder secret"],
  ["throttling by API Gateway", { RefusedByApiGateway: during(3, 4, 50) }, "Refused by API Gateway"],
  ["a rotation of the write key in Segment only", { WriteKeyRefused: during(6, 18, 40) }, "Write key refused"],
  ["an attempt with a wrong write key every 40 minutes", { WriteKeyRefused: every(8, 1) }, "Write key refused"],
  ["an attempt without a write key every 40 minutes", { PlaceholderSecret: every(8, 1) }, "Placeholder secret"],
  ["an attempt at a wrong endpoint every 40 minutes", { EndpointRefused: every(8, 1) }, "Endpoint refused"],
  ["an hour of attempts at a wrong endpoint", { EndpointRefused: during(6, 18, 40) }, "Endpoint refused"],
  ["five minutes of refusals by a proxy that restarts", { EndpointRefused: during(6, 7, 40) }],
  ["a crash of deliver every 6 minutes", { "Deliver Errors": every(2, 1) }, "Deliver fails"],
  ["one crash of deliver", { "Deliver Errors": during(3, 4, 1, 0) }, "Deliver fails"],
  ["ten minutes without the table", { TableFailing: during(3, 5, 50) }],
  ["15 minutes without the table", { TableFailing: during(3, 6, 50) }, "DynamoDB fails"],
  ["25 minutes of merged calls", { Merged: during(3, 8, 500) }],
  ["half an hour of merged calls", { Merged: during(3, 9, 500) }, "Backlog merged"],
];

/** At one evaluation in ten minutes, for example: AWS publishes nothing while nothing happens. */
const WITHOUT_TRAFFIC: readonly Scenario[] = [
  ["a time without any data", {}, "No traffic"],
  ["an evaluation not quite two hours ago", { [SENT]: during(0, 1, 1) }],
  ["the age of the oldest message alone", { [AGE]: outage[AGE] ?? [], [SENT]: steady(1) }, "Backlog"],
  ["wrong signatures only", { "Receive Invocations": every(2, 3), WrongSignature: every(2, 3) }, "Wrong secret", "No traffic"],
  ["unsigned webhooks only", { "Receive Invocations": every(2, 3), Unsigned: every(2, 3) }, "Unsigned webhooks", "No traffic"],
  ["two wrong signatures", { "Receive Invocations": every(2, 2), WrongSignature: every(2, 2) }, "No traffic"],
  ["ten minutes of unsigned webhooks", { "Receive Invocations": during(3, 5, 40), Unsigned: during(3, 5, 40) }, "No traffic"],
  ["a crash of receive", { "Receive Errors": during(3, 4, 1, 0) }, "Receive fails", "No traffic"],
  ["throttling of receive", { "Receive Throttles": during(3, 4, 1) }, "Receive throttled", "No traffic"],
];

describe("alarms", () => {
  it.each([
    ...BESIDE_TRAFFIC.map(
      ([title, series, ...alarms]) => [`beside traffic: ${title}`, { ...traffic, ...series }, alarms] as const,
    ),
    ...WITHOUT_TRAFFIC.map(([title, series, ...alarms]) => [`without traffic: ${title}`, series, alarms] as const),
  ])("fire once each, and only those that are expected, %s", (_, series, expected) => {
    expect(alarmsOver(complete, series, PERIODS)).toEqual(Object.fromEntries(expected.map((title) => [title, 1])));
  });

  it.each(alarmsOf(complete).map((alarm) => [alarm.AlarmName, alarm]))(
    "have a complete text within CloudWatch's limit, whatever the region: %s",
    (_, alarm) => {
      const text = deployed(alarm.AlarmDescription);
      expect(text).toMatch(
        /^\[(loss|delay)\] \S.+\.\nFix: .+[.?]\nDashboard: https:\/\/\S+#dashboards\/dashboard\/\S+\nSaved query: (.+)\nRunbook: \S.+$/,
      );
      // Environment names have up to 100 characters; the shortest region is 9 and the longest 14.
      expect(text.length + 2 * (100 - "production".length)).toBeLessThanOrEqual(1_024);
      const saved = Object.keys(QUERIES).map((question) => `FlagsmithToSegment-production/${question}?`);
      expect(saved).toContain(/^Saved query: (.+)$/m.exec(text)?.[1]);
    },
  );

  it("have an article of the same title in the runbook, or in the operator's own", () => {
    const titles = alarmsOf(complete).map(({ AlarmName: name }) => String(name).replace(/^\S+ /, ""));
    expect(titles.filter((title) => !runbook.includes(`### ${title}\n`))).toEqual([]);
    expect(deployed(alarmsOf(template))).toContain('infra/RUNBOOK.md of flagsmith-to-segment, \\"Backlog\\"');
    expect(deployed(alarmsOf(complete))).toContain("Runbook: https://wiki.example.com/flagsmith");
  });

  it("say that evaluations are lost where webhooks are refused or calls are dead-lettered, and otherwise that they are late", () => {
    const all = alarmsOf(complete).map(({ AlarmName: name, AlarmDescription: text }) => {
      return [String(name).replace(/^\S+ /, ""), /\[loss\]/.test(deployed(text))] as const;
    });
    const [ofReceive = "", ofDeliver = ""] = runbook.split("\n## Alarms about delivery\n");
    const lost = (title: string) => title === "Dead letters" || ofReceive.includes(`### ${title}\n`);
    expect(all).toEqual(all.map(([title]) => [title, lost(title)]));
    expect(ofDeliver).toContain("### Dead letters\n");
  });

  it("have a runbook whose placeholders for secrets are those that the functions reject", () => {
    const documents = ["README.md", "infra/RUNBOOK.md"].map((name) => readFileSync(join(__dirname, "../..", name), "utf8"));
    const values = documents.flatMap((text) => text.match(/(?<=put-parameter[^`]*? --value )[^`]+/g) ?? []);
    const pasted = values.flatMap((value) => value.match(/(?<=')<.+?>(?=')/g) ?? []);
    expect(pasted.sort()).toEqual([PLACEHOLDERS.webhookSecret, PLACEHOLDERS.writeKey]);
  });

  it("are those of the options that are on", () => {
    expect([alarmsOf(complete).length, alarmsOf(unmerged).length]).toEqual([21, 18]);
  });
});

/** The text after a deploy to the region with the longest name. */
function deployed(value: unknown): string {
  return JSON.stringify(value)
    .replace(/^\{"Fn::Join":\["",\[(.*)\]\]\}$/, "$1")
    .replaceAll(/\{"Ref":"AWS::Region"\}/g, '"ap-southeast-9x"')
    .replaceAll(/\{"Fn::FindInMap":\[.*?\},"domain"\]\}/g, '"console.amazonaws-us-gov.com"')
    .replaceAll('","', "")
    .replace(/^"(.*)"$/, "$1")
    .replaceAll("\\n", "\n");
}

/** A stack of the app's own with a pipeline and its monitoring. */
function setUp(props: (stack: Stack) => Partial<MonitoringProps> = () => ({}), { region = "", context = {} } = {}) {
  const app = new App({ context });
  const stack = new Stack(app, "Own", region === "" ? {} : { env: { region, account: "123456789012" } });
  const pipeline = new FlagsmithToSegment(stack, "Pipeline", { environmentName: "production" });
  return { app, stack, monitoring: new Monitoring(stack, "Monitoring", { pipeline, ...props(stack) }) };
}

describe("Monitoring", () => {
  const untyped = (text: string) => JSON.parse(text);

  it.each<[string, MonitoringProps, RegExp]>([
    ["no object", untyped("null"), /allowed is an object of props/],
    ["no pipeline and a wrong option", untyped('{"alarmEmail":1}'), /pipeline: allowed is a FlagsmithToSegment\n.*alarmEmail/],
    [
      "an option of the pipeline",
      untyped('{"segments":true}'),
      /segments: unknown option; allowed are alarmEmail, alarmTopicArn,/,
    ],
  ])("rejects wrong props with all errors at the same time: %s", (_, props, message) => {
    expect(() => new Monitoring(new Stack(), "Monitoring", props)).toThrow(message);
  });

  it("notifies all receivers of each alarm, also when it ends", () => {
    const { stack } = setUp((own) => ({
      alarmTopicArn: new Topic(own, "OfTheSameApp").topicArn,
      alarmEmail: "on-call@example.com",
      alarmTopics: [new Topic(own, "One"), new Topic(own, "Two")],
    }));
    const configured = Template.fromStack(stack);
    const actions = ["OfTheSameApp", "MonitoringAlarms", "One", "Two"].map((id) => ({ Ref: Match.stringLikeRegexp(`^${id}`) }));
    configured.allResourcesProperties("AWS::CloudWatch::Alarm", { AlarmActions: actions, OKActions: actions });
    configured.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "on-call@example.com" });
    const publish = { Effect: "Allow", Action: "sns:Publish", Principal: { Service: "cloudwatch.amazonaws.com" } };
    const Condition = { StringEquals: { "aws:SourceAccount": Match.anyValue() } };
    configured.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ ...publish, Condition })]) },
    });
  });

  const central: IAspect = {
    visit: (node) => {
      if (node instanceof CfnAlarm) node.alarmActions = ["arn:aws:sns:eu-west-1:123456789012:central"];
    },
  };

  it.each<[string, number, (set: ReturnType<typeof setUp>) => void]>([
    ["warns at synth if no one is notified of alarms", 1, () => {}],
    ["does not warn of an alarm's action that an aspect added", 0, ({ app }) => Aspects.of(app).add(central)],
    [
      "does not warn of an action that the app added to an alarm by its id",
      0,
      ({ monitoring, stack }) => monitoring.alarms.DeadLetters.addAlarmAction(new SnsAction(new Topic(stack, "Topic"))),
    ],
  ])("%s", (_, expected, change) => {
    const set = setUp();
    change(set);
    set.app.synth();
    const warnings = Annotations.fromStack(set.stack).findWarning("/Own/Monitoring", Match.anyValue());
    expect(warnings).toMatchObject(Array(expected).fill({ entry: { data: expect.stringMatching(/^No one is notified/) } }));
  });

  it("links to the console of a partition that is known only at deploy", () => {
    const [domains] = Object.values(template.findMappings("*"));
    expect(domains).toMatchObject({ "aws-cn": { domain: "console.amazonaws.cn" } });
  });

  it.each([
    ["eu-west-1", "https://eu-west-1.console.aws.amazon.com/"],
    ["cn-north-1", "https://cn-north-1.console.amazonaws.cn/"],
    ["us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"],
  ])("links to the console of %s", (region, start) => {
    const { stack, monitoring } = setUp(undefined, { region, context: { "@aws-cdk/core:enablePartitionLiterals": true } });
    expect(stack.resolve(monitoring.dashboardUrl)).toMatch(
      `${start}cloudwatch/home?region=${region}#dashboards/dashboard/Own_Pipeline-`,
    );
  });
});

describe("the saved queries", () => {
  it("search the logs that they are about, in a folder with the pipeline's name", () => {
    template.resourceCountIs("AWS::Logs::QueryDefinition", Object.keys(QUERIES).length);
    for (const [question, { logs }] of Object.entries(QUERIES)) {
      const groups = { receive: "ReceiveLogs", deliver: "DeliverLogs", access: "AccessLogs" };
      template.hasResourceProperties("AWS::Logs::QueryDefinition", {
        Name: `FlagsmithToSegment-production/${question}?`,
        LogGroupNames: logs.map((source) => ({ Ref: Match.stringLikeRegexp(groups[source]) })),
      });
    }
  });
});

describe("the dashboard", () => {
  const bodyOf = (from: Template): string => {
    const [dashboard] = Object.values(from.findResources("AWS::CloudWatch::Dashboard"));
    const parts: readonly unknown[] = dashboard?.Properties.DashboardBody["Fn::Join"][1];
    const resource = /DeadLetterQueue|Queue|Receive|Delivered|Deliver|Access/;
    return parts.map((part) => (typeof part === "string" ? part : (resource.exec(JSON.stringify(part))?.[0] ?? "x"))).join("");
  };

  const titlesOf = (from: Template): readonly string[] => {
    const [{ Properties: dashboard } = { Properties: {} }] = Object.values(from.findResources("AWS::CloudWatch::Dashboard"));
    return [...JSON.stringify(dashboard).matchAll(/\\"(?:title|markdown)\\":\\"(.*?)(?:\\\\n|\\")/g)].map(
      ([, title = ""]) => title,
    );
  };

  it("shows the alarms first, then receive, deliver, costs and the saved queries", () => {
    const titles = titlesOf(template);
    expect(titles[0]).toBe("Alarms");
    expect(titles.filter((title) => title.startsWith("## "))).toEqual([
      "## Receive",
      "## Deliver",
      "## What it costs",
      "## Ask further",
    ]);
  });

  it("groups what it draws by time only, because CloudWatch draws nothing else as lines and areas", () => {
    const { widgets } = JSON.parse(bodyOf(complete));
    const drawn = widgets.filter(
      ({ type, properties }: Record<string, { view?: string }>) => String(type) === "log" && properties?.view === "timeSeries",
    );
    expect(drawn.length).toBeGreaterThan(3);
    for (const { properties } of drawn) expect(properties.query).toMatch(/ by bin\(\d+[hm]\)$/);
  });

  it("draws in each graph what its title says", () => {
    const { widgets } = JSON.parse(bodyOf(complete));
    const graphs = widgets.filter(({ type }: Record<string, unknown>) => type === "metric");
    const drawn = graphs.map(({ properties }: Record<string, unknown>) => {
      const { title, metrics } = Object(properties);
      const texts = metrics.map((metric: readonly unknown[]) => {
        const [namespace, name, , resource] = metric;
        return [...(/^AWS\//.test(String(namespace)) ? [resource] : []), name, Object(metric.at(-1)).stat].join(" ");
      });
      return [title.replace(/ \(query: .*/, ""), ...texts];
    });
    const sums = (...names: readonly string[]) => names.map((name) => `${name} Sum`);
    expect(drawn).toEqual(
      expect.arrayContaining([
        ["Refused webhooks", ...sums("WrongSignature", "Unsigned", "Invalid", "Unavailable", "RefusedByApiGateway")],
        ["Time to answer, ms", "Receive Duration p50", "Receive Duration p99"],
        ["Skipped identities", ...sums("LeftOut")],
        ["Crashed and throttled", ...sums("Receive Errors", "Receive Throttles")],
        ["Age of the oldest waiting call, s", "Queue ApproximateAgeOfOldestMessage Maximum"],
        ["Not accepted by Segment", ...sums("Overdue", "SlowedDown", "EndpointRefused", "WriteKeyRefused")],
        ["Dead-letter queue, messages", "DeadLetterQueue ApproximateNumberOfMessagesVisible Maximum", "DeadLettered Sum"],
        ["Merged messages", ...sums("Merged")],
        ["Crashed and throttled", ...sums("Deliver Errors", "Deliver Throttles")],
        ["DynamoDB, capacity units", ...sums("Delivered ConsumedReadCapacityUnits", "Delivered ConsumedWriteCapacityUnits")],
        ["DynamoDB did not read or write", ...sums("TableFailing")],
        ["Invocations", ...sums("Receive Invocations", "Deliver Invocations")],
        ["Duration, ms in all", ...sums("Receive Duration", "Deliver Duration")],
        ["Messages queued", ...sums("Queue NumberOfMessagesSent")],
        ["Log bytes", ...sums("Receive IncomingBytes", "Deliver IncomingBytes", "Access IncomingBytes")],
      ]),
    );
  });

  it("counts every outcome of webhooks and messages, and links to the saved queries", () => {
    const body = bodyOf(complete);
    // The last five events are logged in addition to an outcome.
    const outcomes = Object.keys(LOG_EVENTS).slice(0, -5);
    const counted = outcomes.map((event) => `sum(strcontains(event, \\"${event}\\")) as ${event.replace("-", "_")}`);
    expect(counted.filter((sum) => !body.includes(sum))).toEqual([]);
    expect(body).toContain('100 * sum(strcontains(event, \\"unchanged\\")) / count(*) as saved');
    expect(body).toContain("#logsV2:logs-insights)");
  });

  it("has no widgets of options that are off", () => {
    expect(titlesOf(template).join()).toContain("Merged messages");
    expect(titlesOf(unmerged).join()).not.toContain("Merged messages");
    expect(titlesOf(complete)).toContain("## Changes only");
  });
});

describe("several pipelines in one stack", () => {
  const stack = new Stack(undefined, "Flags", { env: { region: "eu-west-1", account: "123456789012" } });
  for (const environmentName of ["production", "staging"]) {
    const pipeline = new FlagsmithToSegment(stack, `Pipeline-${environmentName}`, { environmentName, forward: "changes" });
    new Monitoring(stack, `Monitoring-${environmentName}`, { pipeline, alarmTopicArn: "arn:aws:sns:eu-west-1:123456789012:x" });
  }
  const both = Template.fromStack(stack);

  it.each([
    ["AWS::CloudWatch::Alarm", "AlarmName"],
    ["AWS::CloudWatch::Dashboard", "DashboardName"],
    ["AWS::Logs::QueryDefinition", "Name"],
    ["AWS::ApiGatewayV2::Api", "Name"],
    ["AWS::Logs::LogGroup", "LogGroupName"],
  ])("have no %s in common", (type, property) => {
    const found = Object.values(both.findResources(type)).flatMap(({ Properties: properties }) => properties[property] ?? []);
    expect(found).toEqual([...new Set(found)]);
    expect(found).not.toEqual([]);
  });

  it("have no metric in common", () => {
    const filters = Object.values(both.findResources("AWS::Logs::MetricFilter"));
    const namespaces = filters.map(({ Properties: filter }) => filter.MetricTransformations[0].MetricNamespace);
    expect([...new Set(namespaces)]).toEqual(["Flags/Pipeline-production", "Flags/Pipeline-staging"]);
  });

  it("synthesize without a warning", () => {
    expect(Annotations.fromStack(stack).findWarning("*", Match.anyValue())).toEqual([]);
  });
});
