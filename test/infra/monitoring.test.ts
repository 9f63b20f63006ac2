import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Match } from "aws-cdk-lib/assertions";
import { QUERIES } from "../../infra/monitoring/queries";
import { alarmsOver, type Series } from "../support/alarm";
import { dashboardOf } from "../support/dashboard";
import { templateOf } from "../support/synth";

const template = templateOf();

/** Two hours, in periods of five minutes. */
const PERIODS = 24;
const steady = (value: number | undefined) => Array<number | undefined>(PERIODS).fill(value);
const during = (from: number, to: number, inside: number | undefined, outside: number | undefined) =>
  steady(outside).map((value, index) => (index >= from && index < to ? inside : value));

const normal: Series = {
  Accepted: steady(100),
  Delivered: steady(40),
  Unchanged: steady(60),
  Retrying: steady(1),
  "Queue ApproximateAgeOfOldestMessage": steady(2),
  "DeadLetterQueue ApproximateNumberOfMessagesVisible": steady(0),
  "Receive Errors": steady(0),
  "Deliver Errors": steady(0),
  "Receive Throttles": steady(0),
  "Deliver Throttles": steady(0),
};

const quiet: Series = {
  "DeadLetterQueue ApproximateNumberOfMessagesVisible": steady(0),
  // A stranger tries the URL once an hour, and one evaluation comes in and is delivered in the next period.
  Unauthorized: during(3, 5, 40, undefined),
  WrongSignature: during(3, 4, 1, undefined),
  Accepted: during(7, 8, 1, undefined),
  Delivered: during(8, 9, 1, undefined),
};

const SILENT_SEGMENT = { Delivered: during(6, 18, undefined, 100), Unchanged: steady(undefined) };
const AGEING = during(6, 18, 3_600, 2);

describe("the alarms", () => {
  it.each<[string, Series, readonly string[]]>([
    ["a quiet night", quiet, []],
    ["no data at all", {}, []],
    ["normal days", normal, []],
    ["a flag that is refused", { ...normal, Invalid: steady(3), Ignored: steady(3) }, []],
    [
      "an outage of Segment",
      { ...normal, ...SILENT_SEGMENT, "Queue ApproximateAgeOfOldestMessage": AGEING },
      ["Backlog", "Nothing delivered"],
    ],
    ["an outage of ten minutes", { ...normal, Delivered: during(6, 8, undefined, 100), Unchanged: steady(undefined) }, []],
    ["all unchanged", { ...normal, Delivered: steady(undefined) }, []],
    ["a dry run", { ...normal, Delivered: steady(undefined), Unchanged: steady(undefined), DryRun: steady(100) }, []],
    ["poison", { ...normal, "DeadLetterQueue ApproximateNumberOfMessagesVisible": during(9, PERIODS, 1, 0) }, ["Dead letters"]],
    [
      "a webhook secret rotated on one side",
      { ...normal, Accepted: during(10, 14, undefined, 100), WrongSignature: during(10, 14, 300, undefined) },
      ["Wrong secret"],
    ],
    ["a stranger who insists beside the traffic", { ...normal, WrongSignature: steady(20) }, []],
    [
      "a write key rotated on one side",
      { ...normal, ...SILENT_SEGMENT, WriteKeyRefused: during(6, 18, 40, undefined) },
      ["Nothing delivered", "Write key refused"],
    ],
    [
      "an outage at one evaluation in ten minutes, whose retries SQS's age leaves out",
      { Accepted: during(0, PERIODS, 1, undefined), Overdue: steady(0).map((_, index) => (index % 7 === 4 ? 1 : 0)) },
      ["Backlog", "Nothing delivered"],
    ],
    [
      "a wrong secret at one evaluation in ten minutes",
      { WrongSignature: steady(undefined).map((_, index) => (index % 2 === 0 ? 3 : undefined)) },
      ["Wrong secret"],
    ],
    [
      "a Flagsmith without a secret",
      { ...normal, Accepted: steady(undefined), Delivered: steady(undefined), Unauthorized: steady(300) },
      ["Unsigned webhooks"],
    ],
    [
      "a Flagsmith without a secret at one evaluation in ten minutes",
      { Unauthorized: steady(undefined).map((_, index) => (index % 2 === 0 ? 3 : undefined)) },
      ["Unsigned webhooks"],
    ],
    ["unsigned webhooks beside the traffic", { ...normal, Unauthorized: steady(300) }, []],
    ["a deleted secret", { ...normal, Unavailable: during(3, 4, 1, undefined) }, ["Unavailable"]],
    ["a crash of deliver", { ...normal, "Deliver Errors": during(3, 4, 1, 0) }, ["Function errors"]],
    ["a throttled receive", { ...normal, "Receive Throttles": during(3, 4, 1, 0) }, ["Function errors"]],
  ])("over %s", (_, series, expected) => {
    const once = Object.fromEntries(expected.map((title) => [title, 1]));
    expect(alarmsOver(template, series)).toEqual(once);
  });

  it("say what users lose and lead to an article of the README", () => {
    const readme = readFileSync(join(__dirname, "../../README.md"), "utf8");
    for (const { Properties: alarm } of Object.values(template.findResources("AWS::CloudWatch::Alarm"))) {
      const [, title] = /^\S+ (.+)$/.exec(alarm.AlarmName) ?? [];
      expect(alarm.AlarmDescription).toMatch(/^\w+.+\. What to do: README, runbook, ".+" \(#[a-z-]+\)\.$/);
      expect(readme).toContain(`### ${title}\n`);
      expect(readme).toContain(`\n| ${title} | `);
      expect(alarm.AlarmDescription).toContain(`"${title}" (#${title?.toLowerCase().replaceAll(" ", "-")})`);
    }
  });

  it("tell nobody by default, and whom the options name", () => {
    template.resourceCountIs("AWS::SNS::Topic", 0);
    template.allResourcesProperties("AWS::CloudWatch::Alarm", { AlarmActions: Match.absent() });
    const alarmTopicArn = "arn:aws:sns:us-east-1:123456789012:on-call";
    const told = templateOf({ alarmEmail: "on-call@example.com", alarmTopicArn });
    told.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "on-call@example.com" });
    told.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: "Allow", Action: "sns:Publish", Principal: { Service: "cloudwatch.amazonaws.com" } }),
        ]),
      },
    });
    told.allResourcesProperties("AWS::CloudWatch::Alarm", {
      AlarmActions: [alarmTopicArn, { Ref: Match.stringLikeRegexp("Alarms") }],
    });
  });
});

describe("the saved queries", () => {
  it("ask both functions' logs, in a folder of the stack's name", () => {
    template.resourceCountIs("AWS::Logs::QueryDefinition", Object.keys(QUERIES).length);
    template.allResourcesProperties("AWS::Logs::QueryDefinition", {
      Name: Match.stringLikeRegexp("^FlagsmithToSegment-production/.+\\?$"),
      LogGroupNames: [{ Ref: Match.stringLikeRegexp("ReceiveLogs") }, { Ref: Match.stringLikeRegexp("DeliverLogs") }],
    });
  });
});

describe("the dashboard", () => {
  it("answers in its rows, from the top", () => {
    const titles = dashboardOf(template).map(({ title }) => title);
    expect(titles.slice(0, 5)).toEqual([
      "Is it working?",
      "Accepted",
      "Delivered",
      "Age of the oldest call, s",
      "Dead letters",
    ]);
    expect(titles).toEqual(expect.arrayContaining(["Receive", "Deliver", "What it costs", "Ask further"]));
  });
});
