import { type ControlPlaneState, TOPIC } from "../cloud/control-plane";
import { findingsOf, logEntry, usePipeline } from "./commands";

const { cloud, state, onAws } = usePipeline("doctor", "--json");
const doctor = async () => findingsOf(await onAws());

const NAME = "FlagsmithToSegment-production";
const BACKLOG = `${NAME} Backlog`;
const DEAD_LETTERS = `${NAME} Dead letters`;
const CONFIRMED = { "ops@example.com": `${TOPIC}:1` };
const OTHER_TOPIC = "arn:aws:sns:us-east-1:000000000000:others";
const succeeded = (topic = TOPIC, Timestamp = 1_790_000_000) => {
  return { Timestamp, HistorySummary: `Successfully executed action ${topic}` };
};
const failedBy = (error: string, Timestamp = 1_790_000_000) => {
  return { Timestamp, HistorySummary: `Failed to execute action ${TOPIC}. Received error: "${error}"` };
};

/** Two alarms that did what they should. */
beforeEach(() => {
  state().alarms = { [BACKLOG]: "OK", [DEAD_LETTERS]: "OK" };
  state().history = { [BACKLOG]: [succeeded()], [DEAD_LETTERS]: [succeeded()] };
});

describe("doctor on AWS", () => {
  it("finds nothing wrong in a pipeline in good health, and prints the names that the runbook needs", async () => {
    state().oldest = 3;
    const receive = { config: { urlSuffix: "amazonaws.com.cn" } };
    state().functions = { receive, deliver: { config: { changes: { table: "records", refreshHours: 24 } } } };
    const { found, at, code } = await doctor();
    expect(at("info").map(({ check, detail }) => [check, detail])).toEqual([
      ["log group of receive", "receive"],
      ["log group of deliver", "deliver"],
      ["queue URL", cloud().queue.url],
      ["queue ARN", cloud().queue.arn],
      ["dead-letter queue URL", cloud().deadLetterQueue.url],
      ["dead-letter queue ARN", cloud().deadLetterQueue.arn],
      ["table", "records"],
      ["log group of API Gateway", "/aws/vendedlogs/access"],
      ["webhook", expect.stringMatching(/^https:\/\/abc123\.execute-api\.us-east-1\.amazonaws\.com\.cn\/webhook$/)],
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
    const skipped = (some: readonly Row[], what: string) =>
      some.map(([check]) => [check, [{ level: "skip", detail: expect.stringContaining(`${what}not an answer of AWS`) }]]);
    state().broken = each(rows, () => ({ status: 200, contentType: "text/html", body: "<html>log in</html>" }));
    const html = await doctor();
    expect(rows.map(([check]) => [check, html.named(check)])).toMatchObject(skipped(rows, "status 200, "));
    // The SDK itself refuses JSON where the answer must be XML.
    const ofJson = rows.filter(([, action]) => action !== "ListSubscriptionsByTopic");
    state().broken = each(ofJson, () => ({ status: 200, contentType: "application/json", body: "{}" }));
    const empty = await doctor();
    expect(ofJson.map(([check]) => [check, empty.named(check)])).toMatchObject(skipped(ofJson, ""));
    expect([html.code, empty.code]).toEqual([0, 0]);
  });
});

describe("alarms", () => {
  it("are the chosen pipeline's only, though another's stack or name begins alike", async () => {
    state().alarms = { ...state().alarms, [`${NAME}/staging Backlog`]: "ALARM", [`${NAME}-2 Backlog`]: "ALARM" };
    state().history = { ...state().history, [`${NAME}/staging Backlog`]: [failedBy("no")] };
    const { lines, found } = await doctor();
    expect(lines("alarms")).toEqual(["ok    alarms: none of 2 fires"]);
    expect(JSON.stringify(found)).not.toMatch(/staging Backlog|-2 Backlog/);
  });

  it("are those of the name in CONFIG, in a stack with two pipelines", async () => {
    const pipelineName = `${NAME}/staging`;
    state().functions = { receive: { config: { pipelineName } }, deliver: { config: { pipelineName } } };
    state().alarms = { [BACKLOG]: "ALARM", [`${pipelineName} Dead letters`]: "ALARM" };
    state().alarmDetails = { [`${pipelineName} Dead letters`]: { StateUpdatedTimestamp: 1_790_000_000 } };
    const firing = (await doctor()).found.filter(({ detail }) => detail.startsWith("fires"));
    expect(firing).toMatchObject([
      {
        ...{ check: `${pipelineName} Dead letters`, level: "warning", fix: "infra/RUNBOOK.md, Dead letters" },
        detail: "fires since 2026-09-21T14:13:20.000Z",
      },
    ]);
  });

  it("are not judged where an earlier release did not write the name", async () => {
    state().functions = { receive: { config: { pipelineName: undefined } } };
    const { at } = await doctor();
    const unnamed = ["metric filters of receive", "metric filters of deliver", "log group of API Gateway", "alarms"];
    expect(at("skip").map(({ check }) => check)).toEqual(expect.arrayContaining(unnamed));
  });

  it("notify topics only: another action is not asked for its subscriptions", async () => {
    state().actions = ["arn:aws:lambda:us-east-1:000000000000:function:pager"];
    const { lines, found } = await doctor();
    expect(lines("alarm actions")).toEqual([expect.stringMatching(/^skip {2}alarm actions: \S+:pager is no SNS topic/)]);
    expect(found.filter(({ check }) => check.startsWith("topic "))).toEqual([]);
  });

  it("have one topic without any receiver, though another topic has one", async () => {
    state().subscriptions = CONFIRMED;
    state().topics = { [OTHER_TOPIC]: {} };
    state().alarmDetails = { [BACKLOG]: { AlarmActions: [OTHER_TOPIC] } };
    const { lines } = await doctor();
    expect(lines(`topic ${TOPIC}`)).toEqual([`ok    topic ${TOPIC}: confirmed: ops@example.com`]);
    const subscribe = `-> aws sns subscribe --region us-east-1 --topic-arn ${OTHER_TOPIC}`;
    expect(lines(`topic ${OTHER_TOPIC}`)).toEqual([expect.stringMatching(`^warn .*${subscribe} `)]);
  });
});

describe("a newest action of an alarm", () => {
  const publish = `Resource: arn:aws:cloudwatch:us-east-1:000000000000:alarm:a is not authorized to perform: SNS:Publish on resource: ${TOPIC}-kms`;
  const kms = "null (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException)";
  const setBacklog = (...items: ReturnType<typeof succeeded>[]) => {
    state().history = { ...state().history, [BACKLOG]: items };
  };

  it.each<[string, string, RegExp]>([
    ["the topic's policy", publish, /^FAIL .* CloudWatch may not publish to arn.* -> .* sns:Publish in the topic's policy$/],
    ["its key's policy", kms, /^FAIL .* KMS key .* -> .*kms:Decrypt/],
    ["what CloudWatch says otherwise, without a fix", "Topic does not exist", /^FAIL [^>]*Topic does not exist"$/],
  ])("that failed names %s", async (_, error, line) => {
    setBacklog(failedBy(error));
    const { lines, code } = await doctor();
    expect(lines(BACKLOG)).toEqual([expect.stringMatching(line)]);
    expect(lines("alarm history")).toEqual(["ok    alarm history: 1 newest actions succeeded"]);
    expect(code).toBe(1);
  });

  it("hides one that failed before", async () => {
    setBacklog(failedBy(publish, 1_780_000_000), succeeded());
    expect((await doctor()).code).toBe(0);
  });

  it("does not hide one for another topic that failed", async () => {
    setBacklog(succeeded(OTHER_TOPIC, 1_790_000_001), failedBy(publish));
    expect((await doctor()).lines(BACKLOG)).toEqual([expect.stringMatching(/^FAIL /)]);
  });
});

describe("doctor", () => {
  const level = (ApplicationLogLevel: string) => ({ LogFormat: "JSON", ApplicationLogLevel });
  const aliasLogging = { receive: { logging: level("INFO"), aliasLogging: level("ERROR") } };
  const variables = { POWERTOOLS_LOG_LEVEL: "ERROR", AWS_LAMBDA_LOG_FORMAT: "Text", LOG_LEVEL: "debug", MY_LOG_LEVEL: "x" };
  const otherGroup = { deliver: { logging: { LogGroup: "/company/all" } } };
  const mapping = (eventSource: string | undefined, lastResult?: string) => ({ eventSource, lastResult });
  const unfiltered = { metricFilters: { Invalid: "receive" } };
  const actions = (details: object) => ({ alarmDetails: { [BACKLOG]: details } });
  const subscribed = (subscriptions: object) => ({ subscriptions: { ...subscriptions } });

  // The text as the operator reads it: level, check, what was found, and after the arrow how to fix it.
  it.each<[string, Partial<ControlPlaneState>, string, readonly RegExp[]]>([
    ["no alarms", { alarms: {} }, "alarms", [/^warn .* -> add Monitoring beside the pipeline$/]],
    ["an alarm without an action", actions({ AlarmActions: [] }), "alarm actions", [/^warn .*: \S+ Backlog -> .*alarmEmail/]],
    [
      "an alarm with disabled actions",
      actions({ ActionsEnabled: false }),
      "alarm actions",
      [/^warn .*: \S+ Backlog -> aws cloudwatch enable-alarm-actions .*--alarm-names '\S+ Backlog'$/],
    ],
    [
      "an alarm that never had an action, and the command that tries one",
      { history: { [BACKLOG]: [succeeded()] } },
      "alarm history",
      [/^ok /, /^skip .*: \S+ Dead letters -> .*aws cloudwatch set-alarm-state .*'\S+ Dead letters' --state-value ALARM/],
    ],
    [
      "an unconfirmed subscription, and how to confirm it so that a mail filter can't cancel it",
      subscribed({ "ops@example.com": "PendingConfirmation" }),
      `topic ${TOPIC}`,
      [/^warn .* ops@example.com -> aws sns confirm-subscription .*:alarms --authenticate-on-unsubscribe true --token/],
    ],
    [
      "a cancelled subscription beside a confirmed one, and how to subscribe again",
      subscribed({ ...CONFIRMED, "boss@example.com": "Deleted" }),
      `topic ${TOPIC}`,
      [/^ok /, /^warn .*: boss@example\.com; .* -> aws sns subscribe .* boss@example\.com; then aws sns confirm/],
    ],
    [
      "a subscription that replaced a cancelled one",
      subscribed({ "ops@example.com": `Deleted ${TOPIC}:1` }),
      `topic ${TOPIC}`,
      [/^ok /],
    ],
    ["a topic that does not exist", { actions: [OTHER_TOPIC] }, "alarm receivers", [/^skip .* does not exist$/]],
    [
      "log level WARN, which hides entries",
      { functions: { deliver: { logging: level("WARN") } } },
      "log of deliver",
      [/^warn .*WARN/],
    ],
    ["log level ERROR", { functions: { deliver: { logging: level("ERROR") } } }, "log of deliver", [/^warn .*ERROR/]],
    ["log level FATAL", { functions: { deliver: { logging: level("FATAL") } } }, "log of deliver", [/^warn .*FATAL/]],
    ["log level INFO", { functions: { deliver: { logging: level("INFO") } } }, "log of deliver", [/^ok /]],
    ["the log level of the alias, which runs", { functions: aliasLogging }, "log of receive", [/^warn .*ERROR/]],
    ["the function's log level where there is no alias", { functions: aliasLogging, alias: false }, "log of receive", [/^ok /]],
    [
      "variables without effect",
      { functions: { receive: { variables } } },
      "log of receive",
      [/^warn .*: POWERTOOLS_LOG_LEVEL, AWS_LAMBDA_LOG_FORMAT, LOG_LEVEL: no effect on what this release logs/],
    ],
    [
      "a log group in which no metric filter counts",
      { functions: otherGroup },
      "metric filters of deliver",
      [/^warn .*: count in deliver, and deliver logs to \/company\/all: alarms see nothing of it/],
    ],
    ["the other function's metric filters", { functions: otherGroup }, "metric filters of receive", [/^ok /]],
    ["no metric filter", unfiltered, "metric filters of deliver", [/^warn .*: no metric filter counts DeadLettered/]],
    ["no metric filter of API Gateway", unfiltered, "log group of API Gateway", [/^warn .* RefusedByApiGateway/]],
    [
      "an account that runs few functions",
      { concurrency: 19 },
      "concurrency",
      [/^warn .*executions, or lower maxConcurrency$/],
    ],
    [
      "few that are kept for receive",
      { concurrency: 10, reserved: 2 },
      "concurrency",
      [/^warn .* option reservedConcurrency$/],
    ],
    ["enough that are kept for receive", { concurrency: 10, reserved: 10 }, "concurrency", [/^ok /]],
    ["no event source", mapping(undefined), "event source", [/^FAIL .* -> .*drift/]],
    ["a disabled event source", mapping("Disabled"), "event source", [/^FAIL .* -> .*--enabled$/]],
    ["an event source that is being deleted", mapping("Deleting"), "event source", [/^FAIL {2}event source: is Deleting$/]],
    [
      "an event source that can't call deliver",
      mapping("Enabled", "PROBLEM: Function call failed"),
      "event source",
      [/^warn .*PROBLEM: Function call failed -> .*Nothing delivered$/],
    ],
    ["an event source that is being updated", mapping("Updating", "OK"), "event source", [/^ok /]],
    ["an event source that works", mapping("Enabled", "OK"), "event source", [/^ok {4}event source: is Enabled/]],
    ["a message of 15 minutes", { oldest: 900 }, "oldest message", [/^ok .*: 900 s old$/]],
    ["an older message", { oldest: 901 }, "oldest message", [/^warn .*: 901 s old -> infra\/RUNBOOK.md, Backlog$/]],
    ["no age of the last 15 minutes", { oldest: undefined }, "oldest message", [/^skip .* no age in the last 15 minutes/]],
  ])("judges %s", async (_, changes, check, lines) => {
    Object.assign(state(), changes);
    expect((await doctor()).lines(check)).toEqual(lines.map((line) => expect.stringMatching(line)));
  });

  it("warns of dead letters", async () => {
    cloud().deadLetterQueue.queue.send({ body: "x", groupId: "g", deduplicationId: "1", attributes: {} });
    expect((await doctor()).lines("dead letters")).toEqual([expect.stringMatching(/^warn {2}dead letters: 1 message -> /)]);
  });
});

describe("the log", () => {
  it.each(["merged", "unchanged", "dry-run"])(
    "shows the newest accepted and %s of 24 hours, with their times",
    async (event) => {
      const accepted = [logEntry("receive", "accepted", 9), logEntry("receive", "accepted", 5)];
      const delivered = [logEntry("deliver", event, 7), logEntry("deliver", "delivered", 23)];
      state().entries = [...accepted, ...delivered];
      const { named } = await doctor();
      expect(named("newest accepted")).toMatchObject([{ level: "ok", detail: accepted[1]?.timestamp }]);
      expect(named("newest delivered")).toMatchObject([{ level: "ok", detail: `${delivered[0]?.timestamp}, as ${event}` }]);
    },
  );

  it("names traits that a warehouse loses, from the newest entry that has some, with the way out", async () => {
    state().entries = [
      logEntry("receive", "accepted", 0.8, { reservedColumns: "1: userId" }),
      logEntry("receive", "accepted", 0.7, { reservedColumns: "2: userId, sentAt", sameColumn: "a_b, aB" }),
      ...state().entries,
    ];
    const { lines } = await doctor();
    const line = /^info {2}reservedColumns: 2: userId, sentAt \(.*traitPrefix.*Flagsmith$/;
    expect(lines("reservedColumns")).toEqual([expect.stringMatching(line)]);
    expect(lines("sameColumn")).toEqual([expect.stringMatching(/^info {2}sameColumn: a_b, aB \(.*one value of them is kept/)]);
  });

  it("does not count what is older, or another function's in a shared log group", async () => {
    const stream = "2026/11/27/other-deliver[$LATEST]0123";
    state().entries = [logEntry("receive", "accepted", 25), logEntry("deliver", "delivered", 1, { stream })];
    const { at } = await doctor();
    expect(at("warning").map(({ check }) => check)).toEqual(["newest accepted", "newest delivered"]);
  });
});
