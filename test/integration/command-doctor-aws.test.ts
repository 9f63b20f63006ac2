import type { Finding } from "../../infra/cli/checks/finding";
import { TOPIC } from "../cloud/control-plane";
import { type Operator, runOnAws } from "./commands";
import { type Pipeline, startPipeline } from "./pipeline";

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline();
  state().apiId = "abc123";
});
afterEach(async () => {
  expect(pipeline.cloud.controlPlane.unexpected).toEqual([]);
  await pipeline.stop();
});

const state = () => pipeline.cloud.controlPlane.state;
const nameOf = (title: string) => `${pipeline.cloud.stackName} ${title}`;
const findings = async (operator: Operator = {}) => {
  const { out, code } = await runOnAws(pipeline, ["doctor", "--json"], operator);
  const found: readonly Finding[] = JSON.parse(out);
  return { code, found, named: (check: string) => found.filter((one) => one.check === check) };
};

const OTHER_TOPIC = "arn:aws:sns:us-east-1:000000000000:others";
const SUCCEEDED = { Timestamp: 1_790_000_000, HistorySummary: `Successfully executed action ${TOPIC}` };
const failedBy = (error: string, Timestamp = 1_790_000_000) => {
  return { Timestamp, HistorySummary: `Failed to execute action ${TOPIC}. Received error: "${error}"` };
};
/** Alarms of the pipeline that did what they should. */
const twoAlarms = () => {
  state().alarms = { [nameOf("Backlog")]: "OK", [nameOf("Dead letters")]: "OK" };
  state().history = { [nameOf("Backlog")]: [SUCCEEDED], [nameOf("Dead letters")]: [SUCCEEDED] };
};

describe("doctor on AWS", () => {
  it("finds nothing wrong in a pipeline in good health, and prints the names that the runbook needs", async () => {
    twoAlarms();
    state().oldest = 3;
    const { found, code } = await findings();
    const [receive, deliver] = ["receive", "deliver"];
    expect(found.filter(({ level }) => level === "info").map(({ check, detail }) => [check, detail])).toEqual([
      ["log group of receive", receive],
      ["log group of deliver", deliver],
      ["queue URL", pipeline.cloud.queue.url],
      ["queue ARN", pipeline.cloud.queue.arn],
      ["dead-letter queue URL", pipeline.cloud.deadLetterQueue.url],
      ["dead-letter queue ARN", pipeline.cloud.deadLetterQueue.arn],
      ["table", "none, without forward: changes"],
      ["log group of API Gateway", "/aws/vendedlogs/access"],
      ["webhook", expect.stringContaining("abc123")],
    ]);
    const open = found.filter(({ level }) => level !== "ok" && level !== "info");
    expect(open.map(({ check, level }) => [check, level])).toEqual([
      ["write key at Segment", "skip"],
      ["newest accepted", "warning"],
      ["newest delivered", "warning"],
    ]);
    expect(found.map(({ check }) => check)).toEqual(expect.arrayContaining(["concurrency", "alarm history", "oldest message"]));
    expect(code).toBe(0);
    expect(pipeline.cloud.segment.calls).toEqual([]);
  });

  it.each<[string, string, string]>([
    ["event source", "ListEventSourceMappings", "lambda:ListEventSourceMappings"],
    ["concurrency", "GetAccountSettings", "lambda:GetAccountSettings"],
    ["log of receive", "GetFunctionConfiguration", "lambda:GetFunctionConfiguration"],
    ["metric filters of deliver", "DescribeMetricFilters", "logs:DescribeMetricFilters"],
    ["alarms", "DescribeAlarms", "cloudwatch:DescribeAlarms"],
    ["alarm receivers", "ListSubscriptionsByTopic", "sns:ListSubscriptionsByTopic"],
    ["alarm history", "DescribeAlarmHistory", "cloudwatch:DescribeAlarmHistory"],
    ["queue", "GetQueueAttributes", "sqs:GetQueueAttributes"],
    ["oldest message", "GetMetricStatistics", "cloudwatch:GetMetricStatistics"],
    ["webhook", "GetPolicy", "lambda:GetPolicy"],
    ["log", "FilterLogEvents", "logs:FilterLogEvents"],
  ])("skips %s without the right %s, and names it", async (check, action, right) => {
    twoAlarms();
    state().refused = { [action]: action === "ListSubscriptionsByTopic" ? "AuthorizationError" : "AccessDeniedException" };
    const { named, code } = await findings();
    expect(named(check)).toMatchObject([{ level: "skip", fix: `your credentials need ${right}` }]);
    expect(code).toBe(0);
    state().refused = { [action]: "ThrottlingException" };
    const [throttled] = (await findings()).named(check === "log" ? "newest accepted" : check);
    expect(throttled?.level).toBe("skip");
    expect(throttled).not.toHaveProperty("fix");
  });

  it.each<[string, string]>([
    ["event source", "ListEventSourceMappings"],
    ["concurrency", "GetAccountSettings"],
    ["log of receive", "GetFunctionConfiguration"],
    ["metric filters of deliver", "DescribeMetricFilters"],
    ["alarms", "DescribeAlarms"],
    ["alarm receivers", "ListSubscriptionsByTopic"],
    ["alarm history", "DescribeAlarmHistory"],
    ["queue", "GetQueueAttributes"],
    ["oldest message", "GetMetricStatistics"],
    ["webhook", "GetPolicy"],
    ["log", "FilterLogEvents"],
    ["/flagsmith-to-segment/production/webhook-secret", "GetParameter"],
  ])("skips %s if something else than AWS answers %s", async (check, action) => {
    twoAlarms();
    const texts = ["<html>log in</html>", ...(action === "ListSubscriptionsByTopic" ? [] : ["{}"])];
    for (const body of texts) {
      state().broken = { [action]: { status: 200, contentType: body === "{}" ? "application/json" : "text/html", body } };
      const { named, code } = await findings();
      expect(named(check)).toMatchObject([{ level: "skip", detail: expect.stringContaining("not an answer of AWS") }]);
      expect(code).toBe(0);
    }
  });
});

describe("alarms", () => {
  it("are the chosen pipeline's only, though another's stack or name begins alike", async () => {
    twoAlarms();
    const { stackName } = pipeline.cloud;
    state().alarms = { ...state().alarms, [`${stackName}/staging Backlog`]: "ALARM", [`${stackName}-2 Backlog`]: "ALARM" };
    state().history = { ...state().history, [`${stackName}/staging Backlog`]: [failedBy("no")] };
    const { named, found } = await findings();
    expect(named("alarms")).toMatchObject([{ level: "ok", detail: "none of 2 fires" }]);
    expect(JSON.stringify(found)).not.toMatch(/staging Backlog|-2 Backlog/);
  });

  it("are those of the name in CONFIG, in a stack with two pipelines", async () => {
    const pipelineName = `${pipeline.cloud.stackName}/staging`;
    state().functions = { receive: { config: { pipelineName } }, deliver: { config: { pipelineName } } };
    state().alarms = { [nameOf("Backlog")]: "ALARM", [`${pipelineName} Dead letters`]: "ALARM" };
    const { found } = await findings();
    const firing = found.filter(({ detail }) => detail.startsWith("fires"));
    expect(firing).toMatchObject([
      { check: `${pipelineName} Dead letters`, level: "warning", fix: "infra/RUNBOOK.md, Dead letters" },
    ]);
  });

  it("are not judged where an earlier release did not write the name", async () => {
    state().functions = { receive: { config: { pipelineName: undefined } } };
    const { named } = await findings();
    for (const check of ["alarms", "metric filters of receive", "log group of API Gateway"]) {
      expect(named(check)).toMatchObject([{ level: "skip" }]);
    }
  });

  it("are missed where there are none", async () => {
    state().alarms = {};
    expect((await findings()).named("alarms")).toMatchObject([{ level: "warning", fix: "add Monitoring beside the pipeline" }]);
  });

  it("are named each where they have no action, or a disabled one", async () => {
    twoAlarms();
    state().alarmDetails = { [nameOf("Backlog")]: { AlarmActions: [] }, [nameOf("Dead letters")]: { ActionsEnabled: false } };
    expect((await findings()).named("alarm actions")).toMatchObject([
      { level: "warning", detail: expect.stringMatching(/: \S+ Backlog$/), fix: expect.stringContaining("alarmEmail") },
      {
        level: "warning",
        detail: expect.stringMatching(/: \S+ Dead letters$/),
        fix: expect.stringMatching(/^aws cloudwatch enable-alarm-actions .*--alarm-names '\S+ Dead letters'$/),
      },
    ]);
  });

  it("count an action that is no SNS topic, unseen", async () => {
    twoAlarms();
    const pager = "arn:aws:lambda:us-east-1:000000000000:function:pager";
    state().actions = [pager];
    const { named, found } = await findings();
    expect(named("alarm actions")).toMatchObject([{ level: "skip", detail: expect.stringContaining(pager) }]);
    expect(found.filter(({ check }) => check.startsWith("topic "))).toEqual([]);
  });
});

describe("a topic", () => {
  beforeEach(twoAlarms);

  it("with a confirmed subscription is ok", async () => {
    state().subscriptions = { "ops@example.com": `${TOPIC}:1` };
    expect((await findings()).named(`topic ${TOPIC}`)).toMatchObject([{ level: "ok", detail: "confirmed: ops@example.com" }]);
  });

  it("without any receiver is named, though another topic has one", async () => {
    state().subscriptions = { "ops@example.com": `${TOPIC}:1` };
    state().topics = { [OTHER_TOPIC]: {} };
    state().alarmDetails = { [nameOf("Backlog")]: { AlarmActions: [OTHER_TOPIC] } };
    const { named } = await findings();
    expect(named(`topic ${TOPIC}`)).toMatchObject([{ level: "ok" }]);
    expect(named(`topic ${OTHER_TOPIC}`)).toMatchObject([
      { level: "warning", fix: expect.stringContaining(`aws sns subscribe --region us-east-1 --topic-arn ${OTHER_TOPIC}`) },
    ]);
  });

  it("with an unconfirmed subscription says how to confirm it so that a mail filter can't cancel it", async () => {
    state().subscriptions = { "ops@example.com": "PendingConfirmation" };
    const confirm = `aws sns confirm-subscription --region us-east-1 --topic-arn ${TOPIC} --authenticate-on-unsubscribe true --token`;
    expect((await findings()).named(`topic ${TOPIC}`)).toMatchObject([
      { level: "warning", detail: expect.stringContaining("ops@example.com"), fix: expect.stringContaining(confirm) },
    ]);
  });

  it("with a cancelled subscription says how to subscribe again, beside another that is confirmed", async () => {
    state().subscriptions = { "ops@example.com": `${TOPIC}:1`, "boss@example.com": "Deleted" };
    expect((await findings()).named(`topic ${TOPIC}`)).toMatchObject([
      { level: "ok" },
      {
        level: "warning",
        detail: expect.stringMatching(/^cancelled by its receiver: boss@example\.com; a deploy does not bring it back$/),
        fix: expect.stringMatching(
          /^aws sns subscribe .*--protocol email --notification-endpoint boss@example\.com; then aws sns confirm/,
        ),
      },
    ]);
  });

  it("that does not exist is not judged", async () => {
    state().actions = [OTHER_TOPIC];
    const [finding] = (await findings()).named("alarm receivers");
    expect(finding).toMatchObject({ level: "skip", detail: expect.stringContaining("does not exist") });
  });
});

describe("an alarm's history", () => {
  beforeEach(twoAlarms);
  const publish = `Resource: arn:aws:cloudwatch:us-east-1:000000000000:alarm:a is not authorized to perform: SNS:Publish on resource: ${TOPIC}-kms`;

  it.each<[string, string, RegExp, RegExp | undefined]>([
    ["the topic's policy", publish, /CloudWatch may not publish to arn/, /sns:Publish in the topic's policy$/],
    [
      "its key's policy",
      "null (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException)",
      /KMS key/,
      /kms:Decrypt/,
    ],
    ["what CloudWatch says otherwise", "Topic does not exist", /Topic does not exist/, undefined],
  ])("names %s", async (_, error, detail, fix) => {
    state().history = { ...state().history, [nameOf("Backlog")]: [failedBy(error)] };
    const { named, code } = await findings();
    const [finding, ...others] = named(nameOf("Backlog"));
    expect(finding).toMatchObject({ level: "failed", detail: expect.stringMatching(detail) });
    expect(finding?.fix).toEqual(fix === undefined ? undefined : expect.stringMatching(fix));
    expect(others).toEqual([]);
    expect(named("alarm history")).toMatchObject([{ level: "ok", detail: "1 newest actions succeeded" }]);
    expect(code).toBe(1);
  });

  it("counts by its newest action only", async () => {
    state().history = { ...state().history, [nameOf("Backlog")]: [failedBy(publish, 1_780_000_000), SUCCEEDED] };
    expect((await findings()).code).toBe(0);
  });

  it("counts for each topic: one that succeeds does not hide one that fails", async () => {
    const other = { Timestamp: 1_790_000_001, HistorySummary: `Successfully executed action ${OTHER_TOPIC}` };
    state().history = { ...state().history, [nameOf("Backlog")]: [other, failedBy(publish)] };
    expect((await findings()).named(nameOf("Backlog"))).toMatchObject([{ level: "failed" }]);
  });

  it("without any action is not judged, and gets the command that tries one", async () => {
    state().history = { [nameOf("Backlog")]: [SUCCEEDED] };
    expect((await findings()).named("alarm history")).toMatchObject([
      { level: "ok" },
      {
        level: "skip",
        detail: expect.stringMatching(/: \S+ Dead letters$/),
        fix: expect.stringMatching(/aws cloudwatch set-alarm-state .*--alarm-name '\S+ Dead letters' --state-value ALARM/),
      },
    ]);
  });
});

describe("the functions", () => {
  it.each(["WARN", "ERROR", "FATAL"])("warn of the log level %s, which hides entries from alarms", async (level) => {
    state().functions = { deliver: { logging: { LogFormat: "JSON", ApplicationLogLevel: level } } };
    const { named } = await findings();
    expect(named("log of deliver")).toMatchObject([{ level: "warning", detail: expect.stringContaining(level) }]);
    expect(named("log of receive")).toMatchObject([{ level: "ok" }]);
  });

  it("are judged by what the alias runs, or by the function where there is none", async () => {
    const level = (ApplicationLogLevel: string) => ({ LogFormat: "JSON", ApplicationLogLevel });
    state().functions = { receive: { logging: level("INFO"), aliasLogging: level("ERROR") } };
    expect((await findings()).named("log of receive")).toMatchObject([{ level: "warning" }]);
    state().alias = false;
    expect((await findings()).named("log of receive")).toMatchObject([{ level: "ok" }]);
  });

  it("warn of variables that have no effect", async () => {
    const variables = { POWERTOOLS_LOG_LEVEL: "ERROR", AWS_LAMBDA_LOG_FORMAT: "Text", LOG_LEVEL: "debug", MY_LOG_LEVEL: "x" };
    state().functions = { receive: { variables } };
    expect((await findings()).named("log of receive")).toMatchObject([
      {
        level: "warning",
        detail: "POWERTOOLS_LOG_LEVEL, AWS_LAMBDA_LOG_FORMAT, LOG_LEVEL: no effect on what this release logs",
      },
    ]);
  });

  it("warn of a log group in which no metric filter counts", async () => {
    state().functions = { deliver: { logging: { LogGroup: "/company/all" } } };
    const { named } = await findings();
    expect(named("metric filters of deliver")).toMatchObject([
      { level: "warning", detail: "count in deliver, and deliver logs to /company/all: alarms see nothing of it" },
    ]);
    expect(named("metric filters of receive")).toMatchObject([{ level: "ok" }]);
    state().functions = {};
    state().metricFilters = { Invalid: "receive" };
    const without = await findings();
    expect(without.named("metric filters of deliver")).toMatchObject([
      { level: "warning", detail: expect.stringMatching(/^no metric filter counts DeadLettered/) },
    ]);
    expect(without.named("log group of API Gateway")).toMatchObject([{ level: "warning" }]);
  });

  it("may be too few for receive: of the account, or kept for it", async () => {
    state().concurrency = 10;
    expect((await findings()).named("concurrency")).toMatchObject([
      { level: "warning", fix: expect.stringMatching(/Concurrent executions, or lower maxConcurrency$/) },
    ]);
    state().reserved = 2;
    expect((await findings()).named("concurrency")).toMatchObject([
      { level: "warning", fix: expect.stringMatching(/raise option reservedConcurrency$/) },
    ]);
    state().reserved = 10;
    expect((await findings()).named("concurrency")).toMatchObject([{ level: "ok" }]);
  });

  it.each<[string, string | undefined, string | undefined, string, RegExp | undefined]>([
    ["is missing", undefined, undefined, "failed", /drift/],
    ["is disabled", "Disabled", undefined, "failed", /--enabled$/],
    ["is being deleted", "Deleting", undefined, "failed", undefined],
    ["can't call deliver", "Enabled", "PROBLEM: Function call failed", "warning", /Nothing delivered/],
    ["works", "Enabled", "OK", "ok", undefined],
  ])("are judged by their event source if it %s", async (_, eventSource, lastResult, level, fix) => {
    Object.assign(state(), { eventSource, lastResult });
    const [finding] = (await findings()).named("event source");
    expect(finding?.level).toBe(level);
    expect(finding?.fix).toEqual(fix === undefined ? undefined : expect.stringMatching(fix));
  });
});

describe("the queues", () => {
  it("warn of an old message and of dead letters", async () => {
    state().oldest = 1_200;
    const { queue } = pipeline.cloud.deadLetterQueue;
    queue.send({ body: "x", groupId: "g", deduplicationId: "1", attributes: {} });
    const { named } = await findings();
    expect(named("oldest message")).toMatchObject([
      { level: "warning", detail: "1200 s old", fix: "infra/RUNBOOK.md, Backlog" },
    ]);
    expect(named("dead letters")).toMatchObject([{ level: "warning", detail: "1 message" }]);
  });

  it("have no age that could be judged without a number of the last 15 minutes", async () => {
    expect((await findings()).named("oldest message")).toMatchObject([{ level: "skip" }]);
  });
});

describe("the log", () => {
  const hour = 3_600_000;
  const entry = (service: string, event: string, hoursAgo: number, more: object = {}) => {
    return { service, event, timestamp: new Date(Date.now() - hoursAgo * hour).toISOString(), ...more };
  };

  it("shows the newest accepted and delivered of 24 hours, with their times", async () => {
    const accepted = [entry("receive", "accepted", 9), entry("receive", "accepted", 5)];
    const delivered = [entry("deliver", "unchanged", 7), entry("deliver", "delivered", 23)];
    state().entries = [...accepted, ...delivered];
    const { named } = await findings();
    expect(named("newest accepted")).toMatchObject([{ level: "ok", detail: accepted[1]?.timestamp }]);
    expect(named("newest delivered")).toMatchObject([{ level: "ok", detail: `${delivered[0]?.timestamp}, as unchanged` }]);
  });

  it("names traits that a warehouse loses, from the newest entry that has some, with the way out", async () => {
    state().entries = [
      entry("receive", "accepted", 0.3, { reservedColumns: "1: userId" }),
      entry("receive", "accepted", 0.2, { reservedColumns: "2: userId, sentAt" }),
      entry("receive", "accepted", 0.1),
      entry("deliver", "delivered", 0.1),
    ];
    const { named } = await findings();
    expect(named("reservedColumns")).toEqual([
      {
        check: "reservedColumns",
        level: "info",
        detail: expect.stringMatching(/^2: userId, sentAt \(.*traitPrefix.*Flagsmith$/),
      },
    ]);
    expect(named("sameColumn")).toEqual([]);
  });

  it("does not count what is older, or another function's in a shared log group", async () => {
    const stream = "2026/11/27/other-deliver[$LATEST]0123";
    state().entries = [entry("receive", "accepted", 25), entry("deliver", "delivered", 1, { stream })];
    const { named } = await findings();
    expect(named("newest accepted")).toMatchObject([{ level: "warning" }]);
    expect(named("newest delivered")).toMatchObject([{ level: "warning" }]);
  });
});
