import { App } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import cdkJson from "../../cdk.json";
import { OPTION_RULES } from "../../infra/option-rules";
import { addStacks } from "../../infra/stack";
import { CONFIG_VARIABLE } from "../../lambda/config";
import type { Options } from "../../lambda/options";
import { TIMING } from "../../lambda/timing";
import before from "../support/fixtures/template-of-1.0.0.json";
import release2 from "../support/fixtures/template-of-2.0.0.json";
import { synthesizeApp, templateOf } from "../support/synth";
import { type References, resolve } from "../support/template";

const OF_RECEIVE: Options = {
  traitPrefix: "ff_",
  traitStyle: "typed",
  flags: { include: ["a*"] },
  flagsmithTraits: ["plan"],
  segments: true,
  identities: { exclude: ["guest"] },
  anonymousIdentities: "drop",
  markActive: false,
  experiments: ["checkout"],
  removeTraits: ["old"],
};
const OF_DELIVER: Options = { segmentEndpoint: "https://segment.example.com", mergeBacklog: false, dryRun: true };
const OF_BOTH: Options = { kmsKeyArn: "arn:aws:kms:eu-west-1:123456789012:key/1", logUserId: "hashed" };

const template = templateOf();
const configured = templateOf({
  ...OF_RECEIVE,
  ...OF_DELIVER,
  ...OF_BOTH,
  forward: "changes",
  refreshHours: 12,
  logRetentionDays: 90,
  throttle: { rateLimit: 5 },
  maxConcurrency: 2,
  reservedConcurrency: 5,
  paused: true,
  alarmEmail: "a@example.com",
});

/** The only resource of a type whose properties match. */
function only(from: Template, type: string, wanted: object = {}) {
  const [[id, resource] = [], ...others] = Object.entries(from.findResources(type, { Properties: wanted }));
  if (id === undefined || resource === undefined || others.length > 0) throw new Error(`not one resource of ${type}`);
  return { id, properties: resource.Properties, dependsOn: resource.DependsOn };
}

const functionOf = (from: Template, verb: "Verifies" | "Delivers") =>
  only(from, "AWS::Lambda::Function", { Description: Match.stringLikeRegexp(`^${verb}`) }).properties;
const queueOf = (from: Template) => only(from, "AWS::SQS::Queue", { RedrivePolicy: Match.anyValue() });
const configOf = (from: Template, verb: "Verifies" | "Delivers", references: References = (reference) => reference) =>
  resolve(functionOf(from, verb).Environment.Variables[CONFIG_VARIABLE], references);

describe("the API", () => {
  it("has no other route than the webhook's", () => {
    template.resourceCountIs("AWS::ApiGatewayV2::Route", 1);
    template.hasResourceProperties("AWS::ApiGatewayV2::Route", { RouteKey: "POST /webhook" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Integration", { PayloadFormatVersion: "2.0" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", { StageName: "$default", AutoDeploy: true });
  });

  it("throttles by default and as configured", () => {
    const limitsOf = (from: Template) => only(from, "AWS::ApiGatewayV2::Stage").properties.DefaultRouteSettings;
    expect(limitsOf(template)).toEqual({ ThrottlingRateLimit: 1_000, ThrottlingBurstLimit: 2_000 });
    expect(limitsOf(configured)).toEqual({ ThrottlingRateLimit: 5, ThrottlingBurstLimit: 2_000 });
  });

  it("invokes receive through an alias, which switches only once API Gateway may invoke it", () => {
    const { id } = only(template, "AWS::Lambda::Alias", { Name: "live" });
    const permission = only(template, "AWS::Lambda::Permission", { FunctionName: { Ref: id } });
    const integration = only(template, "AWS::ApiGatewayV2::Integration", { IntegrationUri: { Ref: id } });
    expect(integration.dependsOn).toEqual([permission.id]);
  });

  it("has an access log with a name that needs no statement in the account's policy", () => {
    const LogGroupName = "/aws/vendedlogs/flagsmith-to-segment/FlagsmithToSegment-production";
    template.hasResourceProperties("AWS::Logs::LogGroup", { LogGroupName });
  });
});

describe("the queues", () => {
  it("are FIFO with high throughput, encrypted, and keep messages for 14 days", () => {
    template.resourceCountIs("AWS::SQS::Queue", 2);
    template.allResourcesProperties("AWS::SQS::Queue", {
      FifoQueue: true,
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 14 * 24 * 60 * 60,
    });
  });

  it("are connected by SQS's highest receive limit, because deliver decides what is dead-lettered", () => {
    const { id } = only(template, "AWS::SQS::Queue", { RedrivePolicy: Match.absent() });
    const policy = { deadLetterTargetArn: { "Fn::GetAtt": [id, "Arn"] }, maxReceiveCount: 1_000 };
    expect(queueOf(template).properties.RedrivePolicy).toEqual(policy);
  });

  it("are all that is kept of a deleted stack, except after a first deploy that failed", () => {
    const all = Object.values<Readonly<Record<string, unknown>>>(configured.toJSON().Resources);
    const kept = all.filter(({ DeletionPolicy: policy = "Delete" }) => policy !== "Delete");
    const queue = { Type: "AWS::SQS::Queue", DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" };
    expect(kept).toMatchObject([queue, queue]);
  });
});

describe("the functions", () => {
  it("run on arm64 under Node.js 24, with the memory that the costs and the cold start were measured with", () => {
    template.resourceCountIs("AWS::Lambda::Function", 2);
    template.allResourcesProperties("AWS::Lambda::Function", {
      ...{ Runtime: "nodejs24.x", Architectures: ["arm64"], Handler: "index.handler" },
    });
    expect(functionOf(template, "Verifies").MemorySize).toBe(512);
    expect(functionOf(template, "Delivers").MemorySize).toBe(256);
  });

  it("have no right to decrypt with a customer's key unless there is one", () => {
    expect(JSON.stringify(template.toJSON())).not.toContain("kms:Decrypt");
  });

  it("have log groups of their own, kept for 30 days or as configured", () => {
    template.resourceCountIs("AWS::Logs::LogGroup", 3);
    template.allResourcesProperties("AWS::Lambda::Function", {
      LoggingConfig: { LogGroup: Match.anyValue(), LogFormat: "Text" },
    });
    template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    configured.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 90 });
  });

  it("get each option that is about them", () => {
    const changes = { table: only(configured, "AWS::DynamoDB::Table").id, refreshHours: 12 };
    expect(JSON.parse(configOf(configured, "Verifies"))).toMatchObject({ ...OF_RECEIVE, ...OF_BOTH });
    expect(JSON.parse(configOf(configured, "Delivers"))).toMatchObject({ ...OF_DELIVER, ...OF_BOTH, changes });
  });

  it("stay within Lambda's 4 KB of variables with the longest options", () => {
    const longest: Options = {
      traitPrefix: "🚩".repeat(50),
      flags: { include: ["x".repeat(1_300)] },
      flagsmithTraits: ["y".repeat(1_140)],
      anonymousIdentities: "anonymousId",
      kmsKeyArn: `arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-${"1".repeat(32)}`,
      segmentEndpoint: `https://${"a".repeat(60)}.example.com/${"b".repeat(400)}`,
      forward: "changes",
    };
    const [stack] = synthesizeApp({ [`e${"x".repeat(99)}`]: longest }).stacks;
    if (stack === undefined) throw new Error("no stack");
    // A queue's name has up to 80 characters, a table's up to 255 of which CloudFormation uses 60 or so.
    const queueUrl = `https://sqs.us-gov-west-1.amazonaws.com/123456789012/${"q".repeat(80)}`;
    for (const verb of ["Verifies", "Delivers"] as const) {
      const text = configOf(Template.fromStack(stack), verb, (reference) =>
        reference.includes("Queue") ? queueUrl : "t".repeat(100),
      );
      // As AWS counts: the JSON of all variables, in which each quote of the text is escaped.
      expect(Buffer.byteLength(JSON.stringify({ [CONFIG_VARIABLE]: text }))).toBeLessThan(4_096);
    }
  });

  it("have the capacity of ten batches at the same time and no reserved concurrency, or as configured", () => {
    const sourceOf = (from: Template) => only(from, "AWS::Lambda::EventSourceMapping").properties;
    expect(sourceOf(template)).toMatchObject({
      BatchSize: 10,
      Enabled: true,
      EventSourceArn: { "Fn::GetAtt": [queueOf(template).id, "Arn"] },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 10 },
    });
    expect(sourceOf(configured)).toMatchObject({ ScalingConfig: { MaximumConcurrency: 2 }, Enabled: false });
    template.allResourcesProperties("AWS::Lambda::Function", { ReservedConcurrentExecutions: Match.absent() });
    expect(functionOf(configured, "Verifies").ReservedConcurrentExecutions).toBe(5);
  });
});

describe("the timeouts are chosen so that", () => {
  const { awsCallMs, segmentAttemptMs, deliverUnitMs } = TIMING;
  const receiveMs = 1_000 * functionOf(template, "Verifies").Timeout;
  const deliverMs = 1_000 * functionOf(template, "Delivers").Timeout;
  const { VisibilityTimeout: visibilitySeconds, RedrivePolicy: redrivePolicy } = queueOf(template).properties;
  /** The record read again, the key read twice, the call sent twice, the record written twice; then dead letter and visibility. */
  const longestUnitMs = 5 * awsCallMs + 2 * segmentAttemptMs + 2 * awsCallMs;

  it.each<[string, number, number]>([
    ["an AWS call ends within the budget of receive", awsCallMs, TIMING.receiveBudgetMs],
    ["receive answers before the function is stopped", TIMING.receiveBudgetMs, receiveMs - 1_000],
    ["receive is stopped before Flagsmith stops waiting", receiveMs, TIMING.senderTimeoutMs - 1_000],
    ["connecting ends within an attempt at Segment", TIMING.segmentConnectMs, segmentAttemptMs - 1],
    ["the longest unit ends in the time that is reserved for it", longestUnitMs, deliverUnitMs],
    ["deliver has time for the longest unit", deliverUnitMs, deliverMs],
    ["deliver has time to begin another unit after a slow one", segmentAttemptMs, deliverMs - deliverUnitMs],
    ["a batch ends before its messages become visible again", 6 * deliverMs, 1_000 * visibilitySeconds],
    ["a secret can be refreshed before it expires", TIMING.secretRefreshMs, TIMING.parameterTtlMs],
    ["crashes of a day do not reach the receive limit", 24 * 3_600, visibilitySeconds * redrivePolicy.maxReceiveCount - 1],
  ])("%s", (_, shorter, longer) => {
    expect(shorter).toBeLessThanOrEqual(longer);
  });
});

describe("the table", () => {
  it("exists only with forward: changes, is billed per request, and deletes expired records", () => {
    template.resourceCountIs("AWS::DynamoDB::Table", 0);
    configured.hasResourceProperties("AWS::DynamoDB::Table", {
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
      TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
    });
  });
});

describe("the outputs", () => {
  const outputOf = (from: Template, name: string) => resolve(from.findOutputs(name)[name]?.Value, (reference) => reference);

  it("are the URLs and the commands", () => {
    const names = ["CreateWebhookSecret", "CreateWriteKey", "DashboardUrl", "NextStep", "RedriveDeadLetters", "WebhookUrl"];
    expect(Object.keys(template.findOutputs("*")).sort()).toEqual(names);
    expect(outputOf(template, "NextStep")).toBe("npm run setup -- --region us-east-1 --environment production");
    expect(outputOf(template, "WebhookUrl")).toMatch(/\/webhook$/);
    expect(JSON.stringify(template.findOutputs("DashboardUrl"))).toContain("#dashboards/dashboard/");
  });

  it("create the parameters, and overwrite none that exists", () => {
    const command = "aws ssm put-parameter --region us-east-1 --name /flagsmith-to-segment/production";
    expect(["CreateWebhookSecret", "CreateWriteKey"].map((name) => outputOf(template, name))).toEqual([
      `${command}/webhook-secret --type SecureString --value "$(openssl rand -hex 32)"`,
      `${command}/segment-write-key --type SecureString --value '<the write key>'`,
    ]);
    expect(outputOf(configured, "CreateWriteKey")).toContain(`--key-id ${OF_BOTH.kmsKeyArn}`);
  });

  // SQS refuses a redrive without a destination for messages that deliver sent there: CouldNotDetermineMessageSource.
  it("redrive dead letters with the queue as destination", () => {
    const { id } = only(template, "AWS::SQS::Queue", { RedrivePolicy: Match.absent() });
    expect(outputOf(template, "RedriveDeadLetters")).toBe(
      `aws sqs start-message-move-task --region us-east-1 --source-arn ${id}.Arn --destination-arn ${queueOf(template).id}.Arn`,
    );
  });
});

describe("cdk.json", () => {
  it("makes a synth use no network, and fail on what the template linter finds", () => {
    expect(cdkJson).toMatchObject({
      notices: false,
      versionReporting: false,
      context: { "cli-telemetry": false, "@aws-cdk/core:validateAgainstDefaultRules": true },
    });
  });
});

describe("an update of version 1.0.0", () => {
  // A new id, or a change of one of these properties, replaces the resource in users' accounts. CHANGELOG.md lists both.
  const updated = configured.toJSON().Resources;
  const names = new Set(
    Object.values<object>(before).flatMap((resource) => Object.keys(resource).filter((name) => name !== "Type")),
  );

  it("keeps every resource except metrics and one alarm", () => {
    const gone = Object.entries(before).filter(([id, { Type: type }]) => updated[id]?.Type !== type);
    const kinds = gone.map(
      ([id, { Type: type }]) => `${type} ${id.replace(/[0-9A-F]{8}$/, "").replace(/.*(Metric|Monitoring)/, "")}`,
    );
    const metrics = ["Accepted", "Delivered", "DryRun", "Ignored", "LatencyMs", "Retrying", "SegmentMs", "Split"];
    metrics.push("TraitsPerCall", "Unauthorized", "Unchanged");
    const filters = metrics.map((name) => `AWS::Logs::MetricFilter ${name}`);
    expect(kinds.sort()).toEqual(["AWS::CloudWatch::Alarm FunctionErrors", ...filters]);
  });

  it("replaces only the dashboard and the access log", () => {
    const replaced = Object.entries<Readonly<Record<string, unknown>>>(before).filter(([id, was]) => {
      const is = updated[id]?.Properties;
      // Routes and queries have names that may change in place.
      if (is === undefined || /Route|QueryDefinition/.test(String(was.Type))) return false;
      return [...names].some((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
    });
    expect(replaced.map(([id]) => id)).toEqual([
      // Of the alias instead of the function; the new one is there before the integration changes.
      "FlagsmithToSegmentApiPOSTwebhookReceiveIntegrationPermissionE760958F",
      "FlagsmithToSegmentAccessLogs257AABCE",
      "MonitoringDashboard0C3675C6",
    ]);
  });
});

it("an update of version 2.0.0 keeps both queues, the table, the API and its URL", () => {
  const updated = configured.toJSON().Resources;
  const kept = /^AWS::(SQS::Queue|DynamoDB::Table|ApiGatewayV2::(Api|Stage|Route))$/;
  const resources = Object.entries<{ readonly Type: string }>(release2).filter(([, { Type: type }]) => kept.test(type));
  expect(resources).toHaveLength(6);
  expect(resources.filter(([id, { Type: type }]) => updated[id]?.Type !== type)).toEqual([]);
});

describe("environments", () => {
  it.each<[string, unknown, readonly string[]]>([
    ["have a stack each", { production: {}, staging: { dryRun: true } }, ["production", "staging"]],
    ["are one called production if cdk.json has none", undefined, ["production"]],
    ["are read from JSON text as well, which -c environments= gives", '{"blue":{"segmentRegion":"eu"}}', ["blue"]],
  ])("%s", (_, environments, names) => {
    const stackNames = synthesizeApp(environments).stacks.map(({ stackName }) => stackName);
    expect(stackNames).toEqual(names.map((name) => `FlagsmithToSegment-${name}`));
  });

  it("may have an account and a region", () => {
    const { stacks } = synthesizeApp({ production: { account: "123456789012", region: "us-gov-west-1" } });
    expect(stacks).toMatchObject([{ account: "123456789012", region: "us-gov-west-1" }]);
  });

  it("may have options that are undefined, which count as not given", () => {
    const given = Object.fromEntries(Object.keys(OPTION_RULES).map((name) => [name, undefined]));
    expect(templateOf(given).toJSON()).toEqual(template.toJSON());
  });

  it.each([
    ["a list", [], "environments: allowed is an object"],
    ["an empty object", {}, "environments: at least one is needed"],
    ["a name with a slash", { "a/b": {} }, "environments.a/b: an environment's name starts with a letter"],
    ["a text that is not JSON", "{production", "or its JSON text; got a text that is not JSON"],
    ["an unknown option", { staging: { regions: "eu" } }, "environments.staging.regions: unknown option; allowed are"],
    ["options that are not an object", { staging: "eu" }, "environments.staging: allowed is an object of options"],
    [
      "a wrong account",
      { staging: { account: "12345678901" } },
      "environments.staging.account: allowed is a string of 12 digits",
    ],
    ["a wrong AWS region", { staging: { region: "Ireland" } }, "environments.staging.region: allowed is a region"],
    [
      "a key in another region",
      { staging: { region: "eu-west-1", kmsKeyArn: "arn:aws:kms:us-west-1:123456789012:key/1" } },
      "environments.staging.kmsKeyArn: it is in us-west-1",
    ],
  ])("are rejected for %s, with what is allowed", (_, environments, message) => {
    expect(() => synthesizeApp(environments)).toThrow(message);
  });

  it.each(["segmentRegion", "region", "placeholderIdentities"])("are rejected if %s stands beside them in context", (name) => {
    const app = new App({ context: { environments: { production: {} }, [name]: "eu" } });
    expect(() => addStacks(app)).toThrow(`${name}: it belongs into an entry of context environments`);
  });

  it("may stand beside feature flags and the context of another library", () => {
    const context = { environments: { production: {} }, "@aws-cdk/core:enablePartitionLiterals": true, other: "mine" };
    expect(() => addStacks(new App({ context }))).not.toThrow();
  });
});
