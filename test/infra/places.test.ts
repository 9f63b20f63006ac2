import { App, Aspects, type CfnResource, type IAspect, Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { CfnFunction } from "aws-cdk-lib/aws-lambda";
import { CfnQueue } from "aws-cdk-lib/aws-sqs";
import type { IConstruct } from "constructs";
import { FlagsmithToSegment, type FlagsmithToSegmentProps } from "../../infra/flagsmith-to-segment";
import { Monitoring } from "../../infra/monitoring/monitoring";
import { optionErrors } from "../../infra/option-checks";
import { addStacks } from "../../infra/stack";
import release1 from "../support/fixtures/template-of-1.0.0.json";
import release2 from "../support/fixtures/template-of-2.0.0.json";
import { templateOf } from "../support/synth";

const errorsOf = (options: object, region?: string) => optionErrors(options, { where: "production", region }).join("\n");

describe("an ARN is refused", () => {
  const topic = (region: string, name = "alarms") => `arn:aws:sns:${region}:123456789012:${name}`;
  const key = (region: string, partition = "aws") => `arn:${partition}:kms:${region}:123456789012:key/1`;

  it.each([
    ["of a topic in another region", { alarmTopicArn: topic("us-east-1") }, "alarmTopicArn: it is in us-east-1"],
    [
      "of a key in another region",
      { kmsKeyArn: key("us-east-1") },
      "kmsKeyArn: it is in us-east-1, and the stack is in eu-west-1",
    ],
    ["of another partition", { kmsKeyArn: key("eu-west-1", "aws-cn") }, "kmsKeyArn: eu-west-1 is in partition aws"],
    ["of a subscription", { alarmTopicArn: `${topic("eu-west-1")}:b6a1` }, "alarmTopicArn: allowed is the ARN of an SNS topic"],
    ["of a FIFO topic", { alarmTopicArn: topic("eu-west-1", "alarms.fifo") }, "alarmTopicArn: allowed is"],
  ])("%s", (_, options, message) => {
    expect(errorsOf(options, "eu-west-1")).toContain(`production.${message}`);
  });

  it("only where both sides are known", () => {
    expect(errorsOf({ alarmTopicArn: topic("us-east-1"), kmsKeyArn: key("us-east-1") })).toBe("");
    expect(errorsOf({ alarmTopicArn: topic("eu-west-1"), kmsKeyArn: key("eu-west-1") }, "eu-west-1")).toBe("");
  });

  it("by the construct as well, in a stack whose region is known", () => {
    const stack = new Stack(undefined, "S", { env: { region: "eu-west-1", account: "123456789012" } });
    const props = { environmentName: "production", kmsKeyArn: key("us-east-1") };
    expect(() => new FlagsmithToSegment(stack, "Pipeline", props)).toThrow("Pipeline.kmsKeyArn: it is in us-east-1");
  });
});

describe("an option is refused", () => {
  it.each([
    ["an e-mail address that is not ASCII", { alarmEmail: "ö@example.com" }],
    ["an e-mail address with more than 64 characters before the @", { alarmEmail: `${"a".repeat(65)}@example.com` }],
    ["a name that CloudFormation would resolve", { traitPrefix: "{{resolve:ssm:/name}}" }],
    ["a name in a list that CloudFormation would resolve", { flags: { include: ["{{resolve:ssm:/name}}"] } }],
  ])("if it is %s", (_, options) => {
    expect(errorsOf(options)).toMatch(/^production\.\w+: allowed is /);
  });

  it.each([
    ["segmentregion", "segmentRegion"],
    ["flagSmithTrait", "flagsmithTraits"],
    ["alarmMail", "alarmEmail"],
  ])("if it is unknown, with the nearest name: %s", (name, nearest) => {
    expect(errorsOf({ [name]: 1 })).toContain(`unknown option, did you mean ${nearest}?`);
  });

  it("without a suggestion if no name is near", () => {
    expect(errorsOf({ colour: 1 })).toContain("production.colour: unknown option; allowed are");
  });

  it.each(["segmentRegion", "region", "account", "placeholderIdentities"])(
    "if %s stands beside environments in context",
    (name) => {
      const app = new App({ context: { environments: { production: {} }, [name]: "eu" } });
      expect(() => addStacks(app)).toThrow(`${name}: it belongs into an entry of context environments`);
    },
  );

  it("but no feature flag and no context of another library", () => {
    const context = { environments: { production: {} }, "@aws-cdk/core:enablePartitionLiterals": true, other: "mine" };
    expect(() => addStacks(new App({ context }))).not.toThrow();
  });
});

describe("wrong props end in one list of errors", () => {
  const untyped = (text: string) => JSON.parse(text);

  it.each([
    ["no props", undefined, /allowed is an object of props; got nothing/],
    ["no name, and a wrong option", untyped('{"segmentRegion":"uk"}'), /environmentName: .*\n.*segmentRegion: allowed is/],
  ])("of the pipeline: %s", (_, props, message) => {
    expect(() => new FlagsmithToSegment(new Stack(), "Pipeline", props)).toThrow(message);
  });

  it.each([
    ["no props", undefined, /allowed is an object of props/],
    ["no pipeline, and a wrong option", untyped('{"alarmEmail":1}'), /pipeline: allowed is a FlagsmithToSegment\n.*alarmEmail/],
  ])("of the monitoring: %s", (_, props, message) => {
    expect(() => new Monitoring(new Stack(), "Monitoring", props)).toThrow(message);
  });
});

describe("a warning at synth", () => {
  const warningsOf = (props: Partial<FlagsmithToSegmentProps>, aspect?: IAspect): readonly string[] => {
    const app = new App();
    const stack = new Stack(app, "S");
    const pipeline = new FlagsmithToSegment(stack, "Pipeline", { environmentName: "production", ...props });
    if (aspect !== undefined) Aspects.of(app).add(aspect);
    app.synth();
    const found = Annotations.fromStack(stack).findWarning(`/${pipeline.node.path}`, Match.anyValue());
    return found.map(({ entry }) => String(entry.data));
  };

  it.each<[string, Partial<FlagsmithToSegmentProps>]>([
    ["flags excludes every flag", { flags: { exclude: ["*"] } }],
    ["identities excludes every identity", { identities: { include: [] } }],
    ["identities excludes every identity", { identities: { include: ["a"], exclude: ["a", "b"] } }],
    ["flagsmithTraits is an empty list", { flagsmithTraits: [] }],
    ["refreshHours has no effect", { refreshHours: 12 }],
  ])("says that option %s", (text, props) => {
    expect(warningsOf(props)).toEqual([expect.stringContaining(`Option ${text}`)]);
  });

  it("does not appear for options that have an effect", () => {
    expect(
      warningsOf({ forward: "changes", refreshHours: 12, flags: { exclude: ["a"] }, identities: { include: ["a*"] } }),
    ).toEqual([]);
  });

  /** What an organisation's aspect does to each resource of a kind. */
  const on = <Kind extends CfnResource>(kind: new (...args: never[]) => Kind, change: (resource: Kind) => void): IAspect => ({
    visit: (node: IConstruct) => {
      if (node instanceof kind) change(node);
    },
  });
  const setLevel = (level: string) =>
    on(CfnFunction, (lambda) => {
      lambda.addPropertyOverride("LoggingConfig.LogFormat", "JSON");
      lambda.addPropertyOverride("LoggingConfig.ApplicationLogLevel", level);
    });

  it.each<[string, IAspect, RegExp]>([
    ["a log level above INFO", setLevel("WARN"), /ApplicationLogLevel WARN drops log entries/],
    [
      "another log group",
      on(CfnFunction, (lambda) => lambda.addPropertyOverride("LoggingConfig.LogGroup", "/central")),
      /writes to another log group/,
    ],
    [
      "a variable of Powertools",
      on(CfnFunction, (lambda) => lambda.addPropertyOverride("Environment.Variables.POWERTOOLS_DEV", "true")),
      /POWERTOOLS_DEV changes nothing/,
    ],
    [
      "a VPC",
      on(CfnFunction, (lambda) => lambda.addPropertyOverride("VpcConfig", { SubnetIds: ["subnet-1"] })),
      /its role can't create network interfaces/,
    ],
    [
      "a key of a queue",
      on(CfnQueue, (queue) => queue.addPropertyOverride("KmsMasterKeyId", "alias/mine")),
      /no right to use it/,
    ],
  ])("names what an aspect changed: %s", (_, aspect, message) => {
    const warnings = warningsOf({}, aspect);
    expect(warnings).toHaveLength(2);
    for (const warning of warnings) expect(warning).toMatch(message);
  });

  it("does not appear for a log level of INFO", () => {
    expect(warningsOf({}, setLevel("INFO"))).toEqual([]);
  });
});

describe("names", () => {
  const namesOf = (...ids: readonly string[]) => {
    const stack = new Stack(undefined, "Flags");
    const pipelines = ids.map((id, index) => new FlagsmithToSegment(stack, id, { environmentName: `e${index}` }));
    return pipelines.map(({ name }) => name);
  };

  it("keep within each service's length and characters for any id", () => {
    const [long = "", odd = ""] = namesOf("x".repeat(200), "My pipeline 🚩 (eu)");
    expect([long.length, odd]).toEqual([128, expect.stringMatching(/^Flags\/My_pipeline_+eu_-[0-9a-f]{8}$/)]);
  });

  it("differ for ids that differ in a character that no name can have", () => {
    expect(new Set(namesOf("a b", "a_b", "a(b")).size).toBe(3);
    expect(new Set(namesOf(`${"x".repeat(200)}1`, `${"x".repeat(200)}2`)).size).toBe(2);
  });

  it("are the stack's and the construct's own where all services take them", () => {
    expect(namesOf("FlagsmithToSegment", "Second")).toEqual(["Flags", "Flags/Second"]);
  });
});

describe("receive is invoked through an alias", () => {
  const template = templateOf();
  const [[aliasId] = [""]] = Object.entries(template.findResources("AWS::Lambda::Alias"));

  it("which the API's integration and permission name", () => {
    template.hasResourceProperties("AWS::Lambda::Alias", { Name: "live" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Integration", { IntegrationUri: { Ref: aliasId } });
    template.hasResourceProperties("AWS::Lambda::Permission", { FunctionName: { Ref: aliasId } });
  });

  it("which switches only once API Gateway may invoke it", () => {
    const [permission] = Object.keys(template.findResources("AWS::Lambda::Permission"));
    const [integration] = Object.values(template.findResources("AWS::ApiGatewayV2::Integration"));
    expect(integration?.DependsOn).toContain(permission);
  });

  it("whose earlier versions are deleted", () => {
    const [version] = Object.values(template.findResources("AWS::Lambda::Version"));
    expect(version?.DeletionPolicy ?? "Delete").toBe("Delete");
  });

  it("while the reserved concurrency stays on the function", () => {
    templateOf({ reservedConcurrency: 50 }).hasResourceProperties("AWS::Lambda::Function", {
      ReservedConcurrentExecutions: 50,
    });
  });
});

it.each([
  ["1.0.0", release1],
  ["2.0.0", release2],
])("an update of release %s keeps both queues, the table, the API and its URL", (_, before) => {
  const updated: Readonly<Record<string, { readonly Type: string }>> = Template.fromStack(
    addStacks(new App({ context: { environments: { production: { forward: "changes" } } } }))[0] as Stack,
  ).toJSON().Resources;
  const kept = /^AWS::(SQS::Queue|DynamoDB::Table|ApiGatewayV2::(Api|Stage|Route))$/;
  const resources = Object.entries<{ readonly Type: string }>(before).filter(([, { Type: type }]) => kept.test(type));
  expect(resources).toHaveLength(6);
  for (const [id, { Type: type }] of resources) expect([id, updated[id]?.Type]).toEqual([id, type]);
});
