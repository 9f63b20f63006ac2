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
  it("has the webhook's route and no other", () => {
    template.resourceCountIs("AWS::ApiGatewayV2::Route", 1);
    template.hasResourceProperties("AWS::ApiGatewayV2::Route", { RouteKey: "POST /webhook" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Integration", { PayloadFormatVersion: "2.0" });
  });

  it("throttles, by default and as told", () => {
    const throttled = (rate: number, burst: number) => ({
      DefaultRouteSettings: { ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst },
    });
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", throttled(1_000, 2_000));
    const told = templateOf({ throttle: { rateLimit: 5 } });
    told.hasResourceProperties("AWS::ApiGatewayV2::Stage", throttled(5, 2_000));
  });

  it("logs access as JSON", () => {
    const { properties } = only(template, "AWS::ApiGatewayV2::Stage");
    const format = Object(properties).AccessLogSettings.Format;
    expect(Object.keys(JSON.parse(format))).toEqual(expect.arrayContaining(["apiRequestId", "status", "sourceIp"]));
  });
});

it("takes any id of a construct, which the access log's name can't have", () => {
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

  it("are joined by a receive limit that is SQS's highest", () => {
    const dead = only(template, "AWS::SQS::Queue", { RedrivePolicy: Match.absent() }).id;
    template.hasResourceProperties("AWS::SQS::Queue", {
      RedrivePolicy: { deadLetterTargetArn: { "Fn::GetAtt": [dead, "Arn"] }, maxReceiveCount: 1_000 },
    });
  });
});

describe("the functions", () => {
  it("run on arm64 under Node.js 24", () => {
    template.resourceCountIs("AWS::Lambda::Function", 2);
    template.allResourcesProperties("AWS::Lambda::Function", { Runtime: "nodejs24.x", Architectures: ["arm64"] });
  });

  it("write to log groups of their own, kept for a month or as told", () => {
    template.resourceCountIs("AWS::Logs::LogGroup", 3);
    template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    template.allResourcesProperties("AWS::Lambda::Function", { LoggingConfig: { LogGroup: Match.anyValue() } });
    templateOf({ logRetentionDays: 90 }).allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 90 });
  });

  it.each([
    ["receive", /^Verifies/, ["queueUrl", "stackName", "traitPrefix", "urlSuffix", "webhookSecretParameter"]],
    ["deliver", /^Delivers/, ["changes", "deadLetterQueueUrl", "queueArn", "queueUrl", "segmentEndpoint", "writeKeyParameter"]],
  ] as const)("give %s one variable, with what it is told", (_, description, names) => {
    const config = configOf(templateOf({ forward: "changes" }), description);
    expect(Object.keys(config)).toEqual(expect.arrayContaining([...names]));
  });

  it("keep their variables within Lambda's 4 KB, whatever is as long as it may be", () => {
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

  it("take batches from the queue, some at once, and report what failed", () => {
    const queue = only(template, "AWS::SQS::Queue", { RedrivePolicy: Match.anyValue() }).id;
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      BatchSize: 10,
      EventSourceArn: { "Fn::GetAtt": [queue, "Arn"] },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 10 },
    });
  });

  it("have a visibility of six times deliver's time-out", () => {
    const { properties } = only(template, "AWS::Lambda::Function", functionOf(/^Delivers/));
    expect(Object(properties).Timeout).toBe(TIMING.deliverFunctionMs / 1_000);
    template.hasResourceProperties("AWS::SQS::Queue", {
      RedrivePolicy: Match.anyValue(),
      VisibilityTimeout: (6 * TIMING.deliverFunctionMs) / 1_000,
    });
  });
});

describe("the table of what was delivered", () => {
  it("is there only for changes", () => {
    template.resourceCountIs("AWS::DynamoDB::Table", 0);
  });

  it("is paid by the request, encrypted, and forgets", () => {
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

describe("access", () => {
  /** Action by resource, of the role whose name holds `name`. */
  const statements = (from: Template, name: string) => {
    const policies = from.findResources("AWS::IAM::Policy", { Properties: { PolicyName: Match.stringLikeRegexp(name) } });
    return Object.values(policies).flatMap(({ Properties: { PolicyDocument } }) => PolicyDocument.Statement);
  };
  const reads = (name: string) =>
    JSON.stringify(statements(template, name).filter(({ Action }) => Action === "ssm:GetParameter"));

  it("lets receive read the webhook secret only, and deliver the write key only", () => {
    expect(reads("Receive")).toContain(":parameter/flagsmith-to-segment/production/webhook-secret");
    expect(reads("Receive")).not.toContain("segment-write-key");
    expect(reads("Deliver")).toContain(":parameter/flagsmith-to-segment/production/segment-write-key");
    expect(reads("Deliver")).not.toContain("webhook-secret");
  });

  it("lets a customer's own key decrypt these parameters only", () => {
    const kmsKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/1";
    const withKey = templateOf({ kmsKeyArn });
    for (const name of ["Receive", "Deliver"]) {
      expect(statements(withKey, name)).toContainEqual(
        expect.objectContaining({
          Action: "kms:Decrypt",
          Resource: kmsKeyArn,
          Condition: { StringEquals: { "kms:EncryptionContext:PARAMETER_ARN": expect.anything() } },
        }),
      );
    }
    expect(JSON.stringify(template.toJSON())).not.toContain("kms:Decrypt");
  });

  it("needs no managed policy, no wildcard action and no wildcard resource", () => {
    expect(JSON.stringify(template.findResources("AWS::IAM::Role"))).not.toContain("ManagedPolicyArns");
    const all = statements(template, "");
    expect(all.length).toBeGreaterThan(5);
    for (const { Action, Resource } of all) {
      expect(JSON.stringify(Action)).not.toContain("*");
      expect(JSON.stringify(Resource)).not.toContain("*");
    }
  });
});

describe("the outputs", () => {
  it("are the URLs, the commands and the logs", () => {
    expect(Object.keys(template.findOutputs("*")).sort()).toEqual([
      ...["AccessLogGroup", "CreateWebhookSecret", "CreateWriteKey", "DashboardUrl", "DeadLetterQueueUrl", "DeliverLogGroup"],
      ...["QueueUrl", "ReceiveLogGroup", "RedriveDeadLetters", "WebhookUrl"],
    ]);
    const commands = JSON.stringify(template.findOutputs("*"));
    expect(commands).toContain("--name /flagsmith-to-segment/production/webhook-secret --type SecureString");
    expect(commands).toContain("--name /flagsmith-to-segment/production/segment-write-key --type SecureString");
  });
});

describe("the redrive of dead letters", () => {
  // SQS refuses one without a destination for messages that were sent there, as deliver's are: CouldNotDetermineMessageSource.
  it("names the queue as the destination", () => {
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
  it("make a real secret, and overwrite nothing unless the reader says so", () => {
    const [secret, key] = ["CreateWebhookSecret", "CreateWriteKey"].map((name) => JSON.stringify(template.findOutputs(name)));
    expect(secret).toContain('--value \\"$(openssl rand -hex 32)\\"');
    expect(key).toContain("--value '<the write key>'");
    expect([secret, key].join()).not.toContain("--overwrite");
  });

  it("carry the region, and the customer's key where there is one", () => {
    const kmsKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/1";
    const commands = (from: Template) => JSON.stringify(from.findOutputs("*"));
    expect(commands(template)).toContain('--region ",{"Ref":"AWS::Region"}');
    expect(commands(template)).not.toContain("--key-id");
    expect(commands(templateOf({ kmsKeyArn }))).toContain(`--key-id ${kmsKeyArn}`);
  });
});

describe("the queues of a deleted stack", () => {
  it("stay when the stack goes, but not after a first deploy that failed", () => {
    for (const queue of Object.values(template.findResources("AWS::SQS::Queue"))) {
      expect(queue).toMatchObject({ DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" });
    }
  });
});

describe("capacity", () => {
  it("is ten batches at once and nothing reserved, or as told", () => {
    const source = (from: Template) => only(from, "AWS::Lambda::EventSourceMapping").properties;
    expect(source(template)).toMatchObject({ ScalingConfig: { MaximumConcurrency: 10 }, Enabled: true });
    expect(
      template.findResources("AWS::Lambda::Function", { Properties: { ReservedConcurrentExecutions: Match.anyValue() } }),
    ).toEqual({});
    const told = templateOf({ maxConcurrency: 2, reservedConcurrency: 5, paused: true });
    expect(source(told)).toMatchObject({ ScalingConfig: { MaximumConcurrency: 2 }, Enabled: false });
    told.hasResourceProperties("AWS::Lambda::Function", {
      Description: Match.stringLikeRegexp("^Verifies"),
      ReservedConcurrentExecutions: 5,
    });
  });
});

describe("the access log", () => {
  it("has a name that needs no room in the account's resource policy", () => {
    template.hasResourceProperties("AWS::Logs::LogGroup", {
      LogGroupName: "/aws/vendedlogs/flagsmith-to-segment/FlagsmithToSegment-production",
    });
  });
});

describe("props that are given as undefined", () => {
  it("are not given", () => {
    const given = Object.fromEntries(Object.keys(OPTION_RULES).map((name) => [name, undefined]));
    expect(templateOf(given).toJSON()).toEqual(template.toJSON());
  });
});

describe("the construct in a stack of somebody's own", () => {
  it("refuses a construct without a name, as plain JavaScript may make it", () => {
    const props = JSON.parse("{}");
    expect(() => new FlagsmithToSegment(new Stack(), "Pipeline", props)).toThrow(/starts with a letter/);
  });

  it("refuses a name that no parameter path can hold", () => {
    const stack = new Stack();
    expect(() => new FlagsmithToSegment(stack, "Pipeline", { environmentName: "my env/x" })).toThrow(
      "Pipeline.environmentName: an environment's name starts with a letter",
    );
  });

  it("refuses a second one of the same environment, whose parameters it would share", () => {
    const stack = new Stack(undefined, "Own");
    new FlagsmithToSegment(stack, "One", { environmentName: "production" });
    new FlagsmithToSegment(new Stack(), "Other", { environmentName: "production" });
    expect(() => new FlagsmithToSegment(stack, "Two", { environmentName: "production" })).toThrow(
      "Two.environmentName: production is that of Own/One already",
    );
  });
});

describe("cdk.json", () => {
  it("lets a synth open no socket, and the template linter fail it", () => {
    expect(cdkJson).toMatchObject({
      notices: false,
      versionReporting: false,
      context: { "cli-telemetry": false, "@aws-cdk/core:validateAgainstDefaultRules": true },
    });
  });
});

describe("an update of version 1.0.0", () => {
  // A new id, or a change of one of these properties, replaces the resource in somebody's account. CHANGELOG.md lists both.
  const updated = templateOf({ forward: "changes", alarmEmail: "a@example.com" }).toJSON().Resources;
  const names = new Set(
    Object.values<object>(before).flatMap((resource) => Object.keys(resource).filter((name) => name !== "Type")),
  );

  it("keeps every resource but metrics and one alarm", () => {
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

  it("replaces the dashboard and the access log only", () => {
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
  it("get a stack each, with parameters of their own", () => {
    const { stacks } = synthesizeApp({ production: {}, staging: { dryRun: true } });
    expect(stacks.map(({ stackName }) => stackName)).toEqual(["FlagsmithToSegment-production", "FlagsmithToSegment-staging"]);
  });

  it("are one called production if cdk.json names none", () => {
    expect(synthesizeApp(undefined).stacks.map(({ stackName }) => stackName)).toEqual(["FlagsmithToSegment-production"]);
  });

  it("are read from text as well, as -c environments= gives it", () => {
    expect(synthesizeApp('{"blue":{"segmentRegion":"eu"}}').stacks.map(({ stackName }) => stackName)).toEqual([
      "FlagsmithToSegment-blue",
    ]);
  });

  it("say which account and region they go to", () => {
    const { stacks } = synthesizeApp({ production: { account: "123456789012", region: "eu-west-1" } });
    expect(stacks.map(({ account, region }) => [account, region])).toEqual([["123456789012", "eu-west-1"]]);
  });

  it.each([
    ["a list", [], "environments: allowed is an object"],
    ["none", {}, "environments: at least one is needed"],
    ["a name with a slash", { "a/b": {} }, "environments.a/b: an environment's name starts with a letter"],
    ["a text that is no JSON", "{production", "or its JSON text; got a text that is not JSON"],
    ["an unknown option", { staging: { regions: "eu" } }, "environments.staging.regions: unknown option; allowed are"],
    ["options that are no object", { staging: "eu" }, "environments.staging: allowed is an object of options"],
    [
      "a wrong account",
      { staging: { account: 123456789012 } },
      "environments.staging.account: allowed is a string of 12 digits",
    ],
    ["a wrong AWS region", { staging: { region: "Ireland" } }, "environments.staging.region: allowed is a region"],
    ["a wrong region", { staging: { segmentRegion: "uk" } }, 'environments.staging.segmentRegion: allowed is "us" or "eu"'],
  ])("are refused for %s, with what is allowed", (_, environments, message) => {
    expect(() => synthesizeApp(environments)).toThrow(message);
  });
});
