import type { Level } from "../../infra/cli/checks/finding";
import { TOPIC } from "../cloud/control-plane";
import { findingsOf, usePipeline } from "./commands";

const { cloud, state, onAws } = usePipeline("doctor", "--json");
const doctor = async () => findingsOf(await onAws());

const entry = (service: string, event: string, hoursAgo: number, more: object = {}) => {
  return { service, event, timestamp: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(), ...more };
};
const nameOf = (title: string) => `${cloud().stackName} ${title}`;
const OTHER_TOPIC = "arn:aws:sns:us-east-1:000000000000:others";
const succeeded = (topic = TOPIC, Timestamp = 1_790_000_000) => {
  return { Timestamp, HistorySummary: `Successfully executed action ${topic}` };
};
const failedBy = (error: string, Timestamp = 1_790_000_000) => {
  return { Timestamp, HistorySummary: `Failed to execute action ${TOPIC}. Received error: "${error}"` };
};

/** Traffic, and two alarms that did what they should. */
beforeEach(() => {
  state().entries = [entry("receive", "accepted", 0.1), entry("deliver", "delivered", 0.1)];
  state().alarms = { [nameOf("Backlog")]: "OK", [nameOf("Dead letters")]: "OK" };
  state().history = { [nameOf("Backlog")]: [succeeded()], [nameOf("Dead letters")]: [succeeded()] };
});

describe("doctor on AWS", () => {
  it("finds nothing wrong in a pipeline in good health, and prints the names that the runbook needs", async () => {
    state().oldest = 3;
    const { found, at, code } = await doctor();
    expect(at("info").map(({ check, detail }) => [check, detail])).toEqual([
      ["log group of receive", "receive"],
      ["log group of deliver", "deliver"],
      ["queue URL", cloud().queue.url],
      ["queue ARN", cloud().queue.arn],
      ["dead-letter queue URL", cloud().deadLetterQueue.url],
      ["dead-letter queue ARN", cloud().deadLetterQueue.arn],
      ["table", "none, without forward: changes"],
      ["log group of API Gateway", "/aws/vendedlogs/access"],
      ["webhook", expect.stringMatching(/^https:\/\/abc123\.execute-api\.us-east-1\.\S+\/webhook$/)],
    ]);
    expect(at("skip", "warning", "failed")).toMatchObject([{ check: "write key at Segment", level: "skip" }]);
    expect(found.map(({ check }) => check)).toEqual(expect.arrayContaining(["concurrency", "alarm history", "oldest message"]));
    expect(code).toBe(0);
    expect(cloud().segment.calls).toEqual([]);
  });

  it("reads the webhook's URL from the function where there is no alias, and skips it where no API may invoke it", async () => {
    state().alias = false;
    expect((await doctor()).named("webhook")).toMatchObject([{ level: "info", detail: expect.stringContaining("abc123") }]);
    state().apiId = undefined;
    expect((await doctor()).named("webhook")).toMatchObject([{ level: "skip" }]);
  });
});

describe("a check that AWS does not answer", () => {
  type Row = readonly [check: string, action: string, right: string];
  const CHECKS: readonly Row[] = [
    ["/flagsmith-to-segment/production/webhook-secret", "GetParameter", "ssm:GetParameter"],
    ["event source", "ListEventSourceMappings", "lambda:ListEventSourceMappings"],
    ["concurrency", "GetAccountSettings", "lambda:GetAccountSettings"],
    ["log of receive", "GetFunctionConfiguration", "lambda:GetFunctionConfiguration"],
    ["metric filters of deliver", "DescribeMetricFilters", "logs:DescribeMetricFilters"],
    ["alarm receivers", "ListSubscriptionsByTopic", "sns:ListSubscriptionsByTopic"],
    ["alarm history", "DescribeAlarmHistory", "cloudwatch:DescribeAlarmHistory"],
    ["queue", "GetQueueAttributes", "sqs:GetQueueAttributes"],
    ["oldest message", "GetMetricStatistics", "cloudwatch:GetMetricStatistics"],
    ["webhook", "GetPolicy", "lambda:GetPolicy"],
    ["log", "FilterLogEvents", "logs:FilterLogEvents"],
  ];
  /** Without the alarms, their receivers and history are not looked at, so this one is a case of its own. */
  const ALARMS: Row = ["alarms", "DescribeAlarms", "cloudwatch:DescribeAlarms"];
  const cases: [string, readonly Row[]][] = [
    ["all but the alarms", CHECKS],
    ["the alarms", [ALARMS]],
  ];
  const each = <Answer>(rows: readonly Row[], answer: (action: string) => Answer) =>
    Object.fromEntries(rows.map(([, action]) => [action, answer(action)]));

  it.each(cases)("is skipped without its right, and names it: %s", async (_, rows) => {
    const isSns = (action: string) => action === "ListSubscriptionsByTopic";
    state().refused = each(rows, (action) => (isSns(action) ? "AuthorizationError" : "AccessDeniedException"));
    const { named, code } = await doctor();
    const skipped = rows.map(([check, , right]) => [check, [{ level: "skip", fix: `your credentials need ${right}` }]]);
    expect(rows.map(([check]) => [check, named(check)])).toMatchObject(skipped);
    expect(code).toBe(0);
  });

  it.each(cases)("is skipped while AWS throttles it, and names no right: %s", async (_, rows) => {
    state().refused = each(rows, () => "ThrottlingException");
    const { at, code } = await doctor();
    const skipped = at("skip");
    const checks = rows.map(([check]) => (check === "log" ? "newest accepted" : check));
    expect(skipped.map(({ check }) => check)).toEqual(expect.arrayContaining(checks));
    expect(skipped.filter(({ fix }) => fix !== undefined)).toEqual([]);
    expect(code).toBe(0);
  });

  it.each(cases)("is skipped if something else than AWS answers: %s", async (_, rows) => {
    const skipped = (some: readonly Row[]) =>
      some.map(([check]) => [check, [{ level: "skip", detail: expect.stringContaining("not an answer of AWS") }]]);
    state().broken = each(rows, () => ({ status: 200, contentType: "text/html", body: "<html>log in</html>" }));
    const html = await doctor();
    expect(rows.map(([check]) => [check, html.named(check)])).toMatchObject(skipped(rows));
    // The SDK itself refuses JSON where the answer must be XML.
    const ofJson = rows.filter(([, action]) => action !== "ListSubscriptionsByTopic");
    state().broken = each(ofJson, () => ({ status: 200, contentType: "application/json", body: "{}" }));
    const empty = await doctor();
    expect(ofJson.map(([check]) => [check, empty.named(check)])).toMatchObject(skipped(ofJson));
    expect([html.code, empty.code]).toEqual([0, 0]);
  });
});

describe("alarms", () => {
  it("are the chosen pipeline's only, though another's stack or name begins alike", async () => {
    const { stackName } = cloud();
    state().alarms = { ...state().alarms, [`${stackName}/staging Backlog`]: "ALARM", [`${stackName}-2 Backlog`]: "ALARM" };
    state().history = { ...state().history, [`${stackName}/staging Backlog`]: [failedBy("no")] };
    const { named, found } = await doctor();
    expect(named("alarms")).toMatchObject([{ level: "ok", detail: "none of 2 fires" }]);
    expect(JSON.stringify(found)).not.toMatch(/staging Backlog|-2 Backlog/);
  });

  it("are those of the name in CONFIG, in a stack with two pipelines", async () => {
    const pipelineName = `${cloud().stackName}/staging`;
    state().functions = { receive: { config: { pipelineName } }, deliver: { config: { pipelineName } } };
    state().alarms = { [nameOf("Backlog")]: "ALARM", [`${pipelineName} Dead letters`]: "ALARM" };
    const firing = (await doctor()).found.filter(({ detail }) => detail.startsWith("fires"));
    expect(firing).toMatchObject([
      { check: `${pipelineName} Dead letters`, level: "warning", fix: "infra/RUNBOOK.md, Dead letters" },
    ]);
  });

  it("are not judged where an earlier release did not write the name", async () => {
    state().functions = { receive: { config: { pipelineName: undefined } } };
    const { named } = await doctor();
    for (const check of ["alarms", "metric filters of receive", "log group of API Gateway"]) {
      expect(named(check)).toMatchObject([{ level: "skip" }]);
    }
  });

  it("are missed where there are none", async () => {
    state().alarms = {};
    expect((await doctor()).named("alarms")).toMatchObject([{ level: "warning", fix: "add Monitoring beside the pipeline" }]);
  });

  it("are named each where they have no action, or a disabled one", async () => {
    state().alarmDetails = { [nameOf("Backlog")]: { AlarmActions: [] }, [nameOf("Dead letters")]: { ActionsEnabled: false } };
    const enable = /^aws cloudwatch enable-alarm-actions .*--alarm-names '\S+ Dead letters'$/;
    expect((await doctor()).named("alarm actions")).toMatchObject([
      { level: "warning", detail: expect.stringMatching(/: \S+ Backlog$/), fix: expect.stringContaining("alarmEmail") },
      { level: "warning", detail: expect.stringMatching(/: \S+ Dead letters$/), fix: expect.stringMatching(enable) },
    ]);
  });

  it("count an action that is no SNS topic, unseen", async () => {
    const pager = "arn:aws:lambda:us-east-1:000000000000:function:pager";
    state().actions = [pager];
    const { named, found } = await doctor();
    expect(named("alarm actions")).toMatchObject([{ level: "skip", detail: expect.stringContaining(pager) }]);
    expect(found.filter(({ check }) => check.startsWith("topic "))).toEqual([]);
  });
});

describe("a topic", () => {
  const confirmed = { "ops@example.com": `${TOPIC}:1` };
  const topic = async (arn = TOPIC) => (await doctor()).named(`topic ${arn}`);

  it("without any receiver is named, though another topic has one", async () => {
    state().subscriptions = confirmed;
    state().topics = { [OTHER_TOPIC]: {} };
    state().alarmDetails = { [nameOf("Backlog")]: { AlarmActions: [OTHER_TOPIC] } };
    const { named } = await doctor();
    const fix = expect.stringContaining(`aws sns subscribe --region us-east-1 --topic-arn ${OTHER_TOPIC}`);
    expect(named(`topic ${TOPIC}`)).toMatchObject([{ level: "ok", detail: "confirmed: ops@example.com" }]);
    expect(named(`topic ${OTHER_TOPIC}`)).toMatchObject([{ level: "warning", fix }]);
  });

  it("with an unconfirmed subscription says how to confirm it so that a mail filter can't cancel it", async () => {
    state().subscriptions = { "ops@example.com": "PendingConfirmation" };
    const confirm = `aws sns confirm-subscription --region us-east-1 --topic-arn ${TOPIC} --authenticate-on-unsubscribe true --token`;
    expect(await topic()).toMatchObject([
      { level: "warning", detail: expect.stringContaining("ops@example.com"), fix: expect.stringContaining(confirm) },
    ]);
  });

  it("with a cancelled subscription says how to subscribe again, beside another that is confirmed", async () => {
    state().subscriptions = { ...confirmed, "boss@example.com": "Deleted" };
    const detail = "cancelled by its receiver: boss@example.com; a deploy does not bring it back";
    const fix = /^aws sns subscribe .*--protocol email --notification-endpoint boss@example\.com; then aws sns confirm/;
    expect(await topic()).toMatchObject([{ level: "ok" }, { level: "warning", detail, fix: expect.stringMatching(fix) }]);
  });

  it("that does not exist is not judged", async () => {
    state().actions = [OTHER_TOPIC];
    const { named } = await doctor();
    expect(named("alarm receivers")).toMatchObject([{ level: "skip", detail: expect.stringContaining("does not exist") }]);
  });
});

describe("an alarm's history", () => {
  const publish = `Resource: arn:aws:cloudwatch:us-east-1:000000000000:alarm:a is not authorized to perform: SNS:Publish on resource: ${TOPIC}-kms`;
  const kms = "null (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException)";
  const setBacklog = (...items: ReturnType<typeof succeeded>[]) => {
    state().history = { ...state().history, [nameOf("Backlog")]: items };
  };

  it.each<[string, string, RegExp, RegExp | undefined]>([
    ["the topic's policy", publish, /CloudWatch may not publish to arn/, /sns:Publish in the topic's policy$/],
    ["its key's policy", kms, /KMS key/, /kms:Decrypt/],
    ["what CloudWatch says otherwise", "Topic does not exist", /Topic does not exist/, undefined],
  ])("names %s", async (_, error, detail, fix) => {
    setBacklog(failedBy(error));
    const { named, code } = await doctor();
    const fixed = fix === undefined ? {} : { fix: expect.stringMatching(fix) };
    expect(named(nameOf("Backlog"))).toEqual([
      { check: nameOf("Backlog"), level: "failed", detail: expect.stringMatching(detail), ...fixed },
    ]);
    expect(named("alarm history")).toMatchObject([{ level: "ok", detail: "1 newest actions succeeded" }]);
    expect(code).toBe(1);
  });

  it("counts by its newest action only", async () => {
    setBacklog(failedBy(publish, 1_780_000_000), succeeded());
    expect((await doctor()).code).toBe(0);
  });

  it("counts for each topic: one that succeeds does not hide one that fails", async () => {
    setBacklog(succeeded(OTHER_TOPIC, 1_790_000_001), failedBy(publish));
    expect((await doctor()).named(nameOf("Backlog"))).toMatchObject([{ level: "failed" }]);
  });

  it("without any action is not judged, and gets the command that tries one", async () => {
    state().history = { [nameOf("Backlog")]: [succeeded()] };
    const tries = /aws cloudwatch set-alarm-state .*--alarm-name '\S+ Dead letters' --state-value ALARM/;
    expect((await doctor()).named("alarm history")).toMatchObject([
      { level: "ok" },
      { level: "skip", detail: expect.stringMatching(/: \S+ Dead letters$/), fix: expect.stringMatching(tries) },
    ]);
  });
});

describe("the functions", () => {
  const level = (ApplicationLogLevel: string) => ({ LogFormat: "JSON", ApplicationLogLevel });

  it.each(["WARN", "ERROR", "FATAL"])("warn of the log level %s, which hides entries from alarms", async (hiding) => {
    state().functions = { deliver: { logging: level(hiding) } };
    const { named } = await doctor();
    expect(named("log of deliver")).toMatchObject([{ level: "warning", detail: expect.stringContaining(hiding) }]);
    expect(named("log of receive")).toMatchObject([{ level: "ok" }]);
  });

  it("are judged by what the alias runs, or by the function where there is none", async () => {
    state().functions = { receive: { logging: level("INFO"), aliasLogging: level("ERROR") } };
    expect((await doctor()).named("log of receive")).toMatchObject([{ level: "warning" }]);
    state().alias = false;
    expect((await doctor()).named("log of receive")).toMatchObject([{ level: "ok" }]);
  });

  it("warn of variables that have no effect", async () => {
    const variables = { POWERTOOLS_LOG_LEVEL: "ERROR", AWS_LAMBDA_LOG_FORMAT: "Text", LOG_LEVEL: "debug", MY_LOG_LEVEL: "x" };
    state().functions = { receive: { variables } };
    const detail = "POWERTOOLS_LOG_LEVEL, AWS_LAMBDA_LOG_FORMAT, LOG_LEVEL: no effect on what this release logs";
    expect((await doctor()).named("log of receive")).toMatchObject([{ level: "warning", detail }]);
  });

  it("warn of a log group in which no metric filter counts", async () => {
    state().functions = { deliver: { logging: { LogGroup: "/company/all" } } };
    const { named } = await doctor();
    const detail = "count in deliver, and deliver logs to /company/all: alarms see nothing of it";
    expect(named("metric filters of deliver")).toMatchObject([{ level: "warning", detail }]);
    expect(named("metric filters of receive")).toMatchObject([{ level: "ok" }]);
  });

  it("warn of a log without a metric filter", async () => {
    state().metricFilters = { Invalid: "receive" };
    const { named } = await doctor();
    const detail = expect.stringMatching(/^no metric filter counts DeadLettered/);
    expect(named("metric filters of deliver")).toMatchObject([{ level: "warning", detail }]);
    expect(named("log group of API Gateway")).toMatchObject([{ level: "warning" }]);
  });

  it.each<[string, number, number | undefined, Level, RegExp | undefined]>([
    ["of the account", 10, undefined, "warning", /Concurrent executions, or lower maxConcurrency$/],
    ["kept for it", 10, 2, "warning", /raise option reservedConcurrency$/],
    ["kept for it, which are enough", 10, 10, "ok", undefined],
  ])("are judged by how many may run of receive: %s", async (_, concurrency, reserved, judged, fix) => {
    Object.assign(state(), { concurrency, reserved });
    const [finding] = (await doctor()).named("concurrency");
    expect(finding?.level).toBe(judged);
    expect(finding?.fix).toEqual(fix && expect.stringMatching(fix));
  });

  it.each<[string, string | undefined, string | undefined, Level, RegExp | undefined]>([
    ["is missing", undefined, undefined, "failed", /drift/],
    ["is disabled", "Disabled", undefined, "failed", /--enabled$/],
    ["is being deleted", "Deleting", undefined, "failed", undefined],
    ["can't call deliver", "Enabled", "PROBLEM: Function call failed", "warning", /Nothing delivered/],
    ["works", "Enabled", "OK", "ok", undefined],
  ])("are judged by their event source if it %s", async (_, eventSource, lastResult, judged, fix) => {
    Object.assign(state(), { eventSource, lastResult });
    const [finding] = (await doctor()).named("event source");
    expect(finding?.level).toBe(judged);
    expect(finding?.fix).toEqual(fix && expect.stringMatching(fix));
  });
});

describe("the queues", () => {
  it("warn of an old message and of dead letters", async () => {
    state().oldest = 1_200;
    cloud().deadLetterQueue.queue.send({ body: "x", groupId: "g", deduplicationId: "1", attributes: {} });
    const { named } = await doctor();
    const fix = "infra/RUNBOOK.md, Backlog";
    expect(named("oldest message")).toMatchObject([{ level: "warning", detail: "1200 s old", fix }]);
    expect(named("dead letters")).toMatchObject([{ level: "warning", detail: "1 message" }]);
  });

  it("have no age that could be judged without a number of the last 15 minutes", async () => {
    expect((await doctor()).named("oldest message")).toMatchObject([{ level: "skip" }]);
  });
});

describe("the log", () => {
  it("shows the newest accepted and delivered of 24 hours, with their times", async () => {
    const accepted = [entry("receive", "accepted", 9), entry("receive", "accepted", 5)];
    const delivered = [entry("deliver", "unchanged", 7), entry("deliver", "delivered", 23)];
    state().entries = [...accepted, ...delivered];
    const { named } = await doctor();
    expect(named("newest accepted")).toMatchObject([{ level: "ok", detail: accepted[1]?.timestamp }]);
    expect(named("newest delivered")).toMatchObject([{ level: "ok", detail: `${delivered[0]?.timestamp}, as unchanged` }]);
  });

  it("names traits that a warehouse loses, from the newest entry that has some, with the way out", async () => {
    state().entries = [
      entry("receive", "accepted", 0.3, { reservedColumns: "1: userId" }),
      entry("receive", "accepted", 0.2, { reservedColumns: "2: userId, sentAt" }),
      ...state().entries,
    ];
    const { named } = await doctor();
    const detail = expect.stringMatching(/^2: userId, sentAt \(.*traitPrefix.*Flagsmith$/);
    expect(named("reservedColumns")).toEqual([{ check: "reservedColumns", level: "info", detail }]);
    expect(named("sameColumn")).toEqual([]);
  });

  it("does not count what is older, or another function's in a shared log group", async () => {
    const stream = "2026/11/27/other-deliver[$LATEST]0123";
    state().entries = [entry("receive", "accepted", 25), entry("deliver", "delivered", 1, { stream })];
    const { named } = await doctor();
    expect(named("newest accepted")).toMatchObject([{ level: "warning" }]);
    expect(named("newest delivered")).toMatchObject([{ level: "warning" }]);
  });
});
