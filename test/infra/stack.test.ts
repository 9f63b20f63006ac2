import { Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import cdkJson from "../../cdk.json";
import { FlagsmithToSegment } from "../../infra/flagsmith-to-segment";
import { OPTION_RULES } from "../../infra/option-rules";
import { CONFIG_VARIABLE } from "../../lambda/config";
import { TIMING } from "../../lambda/timing";
import before from "../support/fixtures/template-of-1.0.0.json";
import { synthesizeApp, templateOf } from "../support/synth";
import { resolve } from "../support/template";

const template = templateOf();

/** The only resource of a type whose properties match. */
function only(from: Template, type: string, properties: object = {}): { readonly id: string; readonly properties: unknown } {
  const [found, ...others] = Object.entries(from.findResources(type, { Properties: properties }));
  if (found === undefined || others.length > 0) throw new Error(`${others.length + 1} resources of ${type}`);
  return { id: found[0], properties: found[1].Properties };
}

const configOf = (from: Template, description: RegExp) => {
  const { properties } = only(from, "AWS::Lambda::Function", functionOf(description));
  return JSON.parse(resolve(Object(properties).Environment.Variables[CONFIG_VARIABLE], (reference) => reference));
};

const functionOf = (description: RegExp) => ({ Description: Match.stringLikeRegexp(description.source) });

describe("the API", () => {
  it("has no other route than the webhook's", () => {
    template.resourceCountIs("AWS::ApiGatewayV2::Route", 1);
    template.hasResourceProperties("AWS::ApiGatewayV2::Route", { RouteKey: "POST /webhook" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Integration", { PayloadFormatVersion: "2.0" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", { StageName: "$default", AutoDeploy: true });
  });

  it("throttles by default and as configured", () => {
    const throttled = (rate: number, burst: number) => ({
      DefaultRouteSettings: { ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst },
    });
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", throttled(1_000, 2_000));
    const configured = templateOf({ throttle: { rateLimit: 5 } });
    configured.hasResourceProperties("AWS::ApiGatewayV2::Stage", throttled(5, 2_000));
  });

  it("logs access as JSON", () => {
    const { properties } = only(template, "AWS::ApiGatewayV2::Stage");
    const format = Object(properties).AccessLogSettings.Format;
    expect(Object.keys(JSON.parse(format))).toEqual(expect.arrayContaining(["apiRequestId", "status", "sourceIp"]));
  });
});

it("the access log's name begins with /aws/vendedlogs, and has no character of the construct's id that names of logs can't have", () => {
  const stack = new Stack(undefined, "Flags");
  new FlagsmithToSegment(stack, "My pipeline (eu)", { environmentName: "production" });
  const named = { LogGroupName: "/aws/vendedlogs/flagsmith-to-segment/Flags/My_pipeline__eu_-b3cd8a0d" };
  Template.fromStack(stack).hasResourceProperties("AWS::Logs::LogGroup", named);
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

  it("refuse what does not come over TLS", () => {
    template.resourceCountIs("AWS::SQS::QueuePolicy", 2);
    template.allResourcesProperties("AWS::SQS::QueuePolicy", {
      PolicyDocument: {
        Statement: [Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } })],
      },
    });
  });

  it("are connected by SQS's highest receive limit, because deliver decides what is dead-lettered", () => {
    const dead = only(template, "AWS::SQS::Queue", { RedrivePolicy: Match.absent() }).id;
    template.hasResourceProperties("AWS::SQS::Queue", {
      RedrivePolicy: { deadLetterTargetArn: { "Fn::GetAtt": [dead, "Arn"] }, maxReceiveCount: 1_000 },
    });
  });
});

describe("the functions", () => {
  it("have the memory that the costs and the cold start were measured with", () => {
    template.hasResourceProperties("AWS::Lambda::Function", { ...functionOf(/^Verifies/), MemorySize: 512 });
    template.hasResourceProperties("AWS::Lambda::Function", { ...functionOf(/^Delivers/), MemorySize: 256 });
  });

  it("run on arm64 under Node.js 24", () => {
    template.resourceCountIs("AWS::Lambda::Function", 2);
    template.allResourcesProperties("AWS::Lambda::Function", { Runtime: "nodejs24.x", Architectures: ["arm64"] });
  });

  it("have no right to decrypt with a customer's key unless there is one", () => {
    expect(JSON.stringify(template.toJSON())).not.toContain("kms:Decrypt");
  });

  it("have log groups of their own, kept for 30 days or as configured", () => {
    template.resourceCountIs("AWS::Logs::LogGroup", 3);
    template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    template.allResourcesProperties("AWS::Lambda::Function", { LoggingConfig: { LogGroup: Match.anyValue() } });
    templateOf({ logRetentionDays: 90 }).allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 90 });
  });

  it.each([
    ["receive", /^Verifies/, ["queueUrl", "stackName", "traitPrefix", "urlSuffix", "webhookSecretParameter"]],
    ["deliver", /^Delivers/, ["changes", "deadLetterQueueUrl", "queueArn", "queueUrl", "segmentEndpoint", "writeKeyParameter"]],
  ] as const)("include %s, whose configuration is in one variable", (_, description, names) => {
    const config = configOf(templateOf({ forward: "changes" }), description);
    expect(Object.keys(config)).toEqual(expect.arrayContaining([...names]));
  });

  it("stay within Lambda's 4 KB of variables with the longest options", () => {
    const longest = {
      traitPrefix: "🚩".repeat(50),
      flags: { include: ["x".repeat(1_300)] },
      flagsmithTraits: ["y".repeat(1_140)],
      anonymousIdentities: "anonymousId",
      kmsKeyArn: `arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-${"1".repeat(32)}`,
      segmentEndpoint: `https://${"a".repeat(60)}.example.com/${"b".repeat(400)}`,
      forward: "changes",
    } as const;
    const { stacks } = synthesizeApp({ [`e${"x".repeat(99)}`]: longest });
    for (const description of [/^Verifies/, /^Delivers/]) {
      const { properties } = only(Template.fromStack(stacks[0] as Stack), "AWS::Lambda::Function", functionOf(description));
      const text = resolve(Object(properties).Environment.Variables[CONFIG_VARIABLE], (reference) =>
        // A queue's name has up to 80 characters, a table's up to 255 of which CloudFormation uses 60 or so.
        reference.includes("Queue")
          ? `https://sqs.us-gov-west-1.amazonaws.com/123456789012/${"q".repeat(80)}`
          : "t".repeat(100),
      );
      // As AWS counts: the JSON of all variables, in which each quote of the text is escaped.
      expect(Buffer.byteLength(JSON.stringify({ [CONFIG_VARIABLE]: text }))).toBeLessThan(4_096);
    }
  });

  it("include deliver, which is invoked with batches and reports messages that failed", () => {
    const queue = only(template, "AWS::SQS::Queue", { RedrivePolicy: Match.anyValue() }).id;
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      BatchSize: 10,
      EventSourceArn: { "Fn::GetAtt": [queue, "Arn"] },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 10 },
    });
  });

  it("include deliver, whose timeout is a sixth of the queue's visibility timeout", () => {
    const { properties } = only(template, "AWS::Lambda::Function", functionOf(/^Delivers/));
    expect(Object(properties).Timeout).toBe(TIMING.deliverFunctionMs / 1_000);
    template.hasResourceProperties("AWS::SQS::Queue", {
      RedrivePolicy: Match.anyValue(),
      VisibilityTimeout: (6 * TIMING.deliverFunctionMs) / 1_000,
    });
  });
});

describe("the table", () => {
  it("exists only with forward: changes", () => {
    template.resourceCountIs("AWS::DynamoDB::Table", 0);
  });

  it("is billed per request, and deletes expired records", () => {
    const changes = templateOf({ forward: "changes" });
    const { id } = only(changes, "AWS::DynamoDB::Table");
    changes.hasResourceProperties("AWS::DynamoDB::Table", {
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [{ AttributeName: "identity", KeyType: "HASH" }],
      TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
    });
    changes.hasResourceProperties("AWS::Lambda::Function", { ...functionOf(/^Delivers/) });
    expect(configOf(changes, /^Delivers/).changes).toEqual({ table: id, refreshHours: 24 });
  });
});

describe("the outputs", () => {
  it("are the URLs and the commands", () => {
    expect(Object.keys(template.findOutputs("*")).sort()).toEqual([
      ...["CreateWebhookSecret", "CreateWriteKey", "DashboardUrl", "NextStep", "RedriveDeadLetters", "WebhookUrl"],
    ]);
    const commands = JSON.stringify(template.findOutputs("*"));
    expect(commands).toContain("npm run setup -- --region ");
    expect(commands).toContain("--name /flagsmith-to-segment/production/webhook-secret --type SecureString");
    expect(commands).toContain("--name /flagsmith-to-segment/production/segment-write-key --type SecureString");
  });
});

describe("the redrive of dead letters", () => {
  // SQS refuses one without a destination for messages that were sent there, as deliver's are: CouldNotDetermineMessageSource.
  it("has the queue as its destination", () => {
    const arnOf = (id: string) => ({ "Fn::GetAtt": [expect.stringMatching(`^FlagsmithToSegment${id}[0-9A-F]+$`), "Arn"] });
    const [{ Value: command } = { Value: undefined }] = Object.values(template.findOutputs("RedriveDeadLetters"));
    expect(Object(command)["Fn::Join"][1]).toEqual([
      "aws sqs start-message-move-task --region ",
      { Ref: "AWS::Region" },
      " --source-arn ",
      arnOf("DeadLetterQueue"),
      " --destination-arn ",
      arnOf("Queue"),
    ]);
  });
});

describe("the commands that create the parameters", () => {
  it("generate a secret, and overwrite no parameter that exists", () => {
    const [secret, key] = ["CreateWebhookSecret", "CreateWriteKey"].map((name) => JSON.stringify(template.findOutputs(name)));
    expect(secret).toContain('--value \\"$(openssl rand -hex 32)\\"');
    expect(key).toContain("--value '<the write key>'");
    expect([secret, key].join()).not.toContain("--overwrite");
  });

  it("have the region, and the customer's key if there is one", () => {
    const kmsKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/1";
    const commands = (from: Template) => JSON.stringify(from.findOutputs("*"));
    expect(commands(template)).toContain('--region ",{"Ref":"AWS::Region"}');
    expect(commands(template)).not.toContain("--key-id");
    expect(commands(templateOf({ kmsKeyArn }))).toContain(`--key-id ${kmsKeyArn}`);
  });
});

describe("the queues of a deleted stack", () => {
  it("are all that is kept, except after a first deploy that failed", () => {
    const changes = templateOf({ forward: "changes" }).toJSON().Resources;
    const kept = Object.values<Readonly<Record<string, unknown>>>(changes).filter(
      ({ DeletionPolicy: policy = "Delete" }) => policy !== "Delete",
    );
    expect(kept.map(({ Type: type }) => type)).toEqual(["AWS::SQS::Queue", "AWS::SQS::Queue"]);
    for (const queue of Object.values(template.findResources("AWS::SQS::Queue"))) {
      expect(queue).toMatchObject({ DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" });
    }
  });
});

describe("capacity", () => {
  it("is ten batches at the same time and no reserved concurrency, or as configured", () => {
    const source = (from: Template) => only(from, "AWS::Lambda::EventSourceMapping").properties;
    expect(source(template)).toMatchObject({ ScalingConfig: { MaximumConcurrency: 10 }, Enabled: true });
    expect(
      template.findResources("AWS::Lambda::Function", { Properties: { ReservedConcurrentExecutions: Match.anyValue() } }),
    ).toEqual({});
    const configured = templateOf({ maxConcurrency: 2, reservedConcurrency: 5, paused: true });
    expect(source(configured)).toMatchObject({ ScalingConfig: { MaximumConcurrency: 2 }, Enabled: false });
    configured.hasResourceProperties("AWS::Lambda::Function", {
      Description: Match.stringLikeRegexp("^Verifies"),
      ReservedConcurrentExecutions: 5,
    });
  });
});

describe("options that are undefined", () => {
  it("count as not given", () => {
    const given = Object.fromEntries(Object.keys(OPTION_RULES).map((name) => [name, undefined]));
    expect(templateOf(given).toJSON()).toEqual(template.toJSON());
  });
});

describe("the construct in another stack", () => {
  it("rejects an environment without a name, which plain JavaScript allows", () => {
    const props = JSON.parse("{}");
    expect(() => new FlagsmithToSegment(new Stack(), "Pipeline", props)).toThrow(/starts with a letter/);
  });

  it("rejects a name that can't be part of a parameter's name", () => {
    const stack = new Stack();
    expect(() => new FlagsmithToSegment(stack, "Pipeline", { environmentName: "my env/x" })).toThrow(
      "Pipeline.environmentName: an environment's name starts with a letter",
    );
  });

  it("rejects a second construct of the same environment, whose parameters it would share", () => {
    const stack = new Stack(undefined, "Own");
    new FlagsmithToSegment(stack, "One", { environmentName: "production" });
    new FlagsmithToSegment(new Stack(), "Other", { environmentName: "production" });
    expect(() => new FlagsmithToSegment(stack, "Two", { environmentName: "production" })).toThrow(
      "Two.environmentName: production is that of Own/One already",
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
  const updated = templateOf({ forward: "changes", alarmEmail: "a@example.com" }).toJSON().Resources;
  const names = new Set(
    Object.values<object>(before).flatMap((resource) => Object.keys(resource).filter((name) => name !== "Type")),
  );

  it("keeps every resource except metrics and one alarm", () => {
    const gone = Object.entries(before).filter(([id, { Type: type }]) => updated[id]?.Type !== type);
    const kinds = gone.map(
      ([id, { Type: type }]) => `${type} ${id.replace(/[0-9A-F]{8}$/, "").replace(/.*(Metric|Monitoring)/, "")}`,
    );
    expect(kinds.sort()).toEqual([
      "AWS::CloudWatch::Alarm FunctionErrors",
      ...["Accepted", "Delivered", "DryRun", "Ignored", "LatencyMs", "Retrying", "SegmentMs", "Split", "TraitsPerCall"].map(
        (name) => `AWS::Logs::MetricFilter ${name}`,
      ),
      ...["Unauthorized", "Unchanged"].map((name) => `AWS::Logs::MetricFilter ${name}`),
    ]);
  });

  it("replaces only the dashboard and the access log", () => {
    const replaced = Object.entries<Readonly<Record<string, unknown>>>(before).filter(([id, was]) => {
      const is = updated[id]?.Properties;
      return (
        is !== undefined && [...names].some((name) => JSON.stringify(was[name]) !== JSON.stringify(isNamed(was, is, name)))
      );
    });
    expect(replaced.map(([id]) => id)).toEqual([
      // Of the alias instead of the function; the new one is there before the integration changes.
      "FlagsmithToSegmentApiPOSTwebhookReceiveIntegrationPermissionE760958F",
      "FlagsmithToSegmentAccessLogs257AABCE",
      "MonitoringDashboard0C3675C6",
    ]);
  });
});

/** Routes and queries have names that may change in place. */
function isNamed(was: object, is: Readonly<Record<string, unknown>>, name: string): unknown {
  const changeable = ["AWS::ApiGatewayV2::Route", "AWS::Logs::QueryDefinition"];
  return changeable.includes(Object(was).Type) ? undefined : is[name];
}

describe("environments", () => {
  it("have a stack each", () => {
    const { stacks } = synthesizeApp({ production: {}, staging: { dryRun: true } });
    expect(stacks.map(({ stackName }) => stackName)).toEqual(["FlagsmithToSegment-production", "FlagsmithToSegment-staging"]);
  });

  it("are one called production if cdk.json has none", () => {
    expect(synthesizeApp(undefined).stacks.map(({ stackName }) => stackName)).toEqual(["FlagsmithToSegment-production"]);
  });

  it("are read from JSON text as well, which -c environments= gives", () => {
    expect(synthesizeApp('{"blue":{"segmentRegion":"eu"}}').stacks.map(({ stackName }) => stackName)).toEqual([
      "FlagsmithToSegment-blue",
    ]);
  });

  it("may have an account and a region", () => {
    const { stacks } = synthesizeApp({ production: { account: "123456789012", region: "eu-west-1" } });
    expect(stacks.map(({ account, region }) => [account, region])).toEqual([["123456789012", "eu-west-1"]]);
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
      { staging: { account: 123456789012 } },
      "environments.staging.account: allowed is a string of 12 digits",
    ],
    ["a wrong AWS region", { staging: { region: "Ireland" } }, "environments.staging.region: allowed is a region"],
    ["a wrong region", { staging: { segmentRegion: "uk" } }, 'environments.staging.segmentRegion: allowed is "us" or "eu"'],
  ])("are rejected for %s, with what is allowed", (_, environments, message) => {
    expect(() => synthesizeApp(environments)).toThrow(message);
  });
});
