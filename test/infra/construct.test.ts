import * as cdk from "aws-cdk-lib";
import { App, Aspects, type CfnResource, type IAspect, NestedStack, Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { ApiMapping, type CfnApi, DomainName } from "aws-cdk-lib/aws-apigatewayv2";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { CfnFunction } from "aws-cdk-lib/aws-lambda";
import { CfnQueue } from "aws-cdk-lib/aws-sqs";
import { FlagsmithToSegment, type FlagsmithToSegmentProps } from "../../infra/flagsmith-to-segment";
import { warnOfOtherCdk } from "../../infra/overrides";
import { resolve } from "../support/template";

const KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";

type Props = Partial<FlagsmithToSegmentProps>;

function setUp(props: (stack: Stack) => Props = () => ({})) {
  const app = new App();
  const stack = new Stack(app, "Own");
  const pipeline = new FlagsmithToSegment(stack, "Pipeline", { environmentName: "production", ...props(stack) });
  return { app, stack, pipeline };
}

/** The warnings at the pipeline, after all aspects. */
function warningsOf(props: (stack: Stack) => Props, aspect?: IAspect): readonly string[] {
  const { app, stack } = setUp(props);
  if (aspect !== undefined) Aspects.of(app).add(aspect);
  app.synth();
  return Annotations.fromStack(stack)
    .findWarning("/Own/Pipeline", Match.anyValue())
    .map(({ entry }) => String(entry.data));
}

const placeOf = (stack: Stack) => {
  const vpc = Vpc.fromVpcAttributes(stack, "Vpc", {
    vpcId: "vpc-0123456789abcdef0",
    availabilityZones: ["eu-west-1a", "eu-west-1b"],
    privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
  });
  const vpcSubnets = { availabilityZones: ["eu-west-1a"] };
  return {
    vpc,
    vpcSubnets,
    securityGroups: [new SecurityGroup(stack, "Group", { vpc })],
    encryptionKey: new Key(stack, "Key"),
  };
};

describe("wrong props", () => {
  const untyped = (text: string) => JSON.parse(text);

  it.each<[string, FlagsmithToSegmentProps, RegExp]>([
    ["no object", untyped("null"), /Pipeline: allowed is an object of props; got null/],
    ["no name and a wrong option", untyped('{"segmentRegion":"uk"}'), /environmentName: .*\n.*segmentRegion: allowed is/],
    ["a name that no parameter can have", { environmentName: "my env/x" }, /Pipeline.environmentName: an environment's name/],
    ["a key in another region", { environmentName: "a", kmsKeyArn: KEY_ARN }, /Pipeline.kmsKeyArn: it is in eu-west-1/],
    ["an option of the alarms", untyped('{"environmentName":"a","alarmEmail":"a@b.c"}'), /alarmEmail: unknown option/],
  ])("are rejected with all errors at the same time: %s", (_, props, message) => {
    const stack = new Stack(undefined, "Own", { env: { region: "eu-north-1", account: "123456789012" } });
    expect(() => new FlagsmithToSegment(stack, "Pipeline", props)).toThrow(message);
  });

  it("include the environment of another pipeline of the stack, which would share its parameters", () => {
    const stack = new Stack(undefined, "Own");
    new FlagsmithToSegment(stack, "One", { environmentName: "production" });
    new FlagsmithToSegment(new Stack(), "Other", { environmentName: "production" });
    expect(() => new FlagsmithToSegment(new NestedStack(stack, "Nested"), "Two", { environmentName: "production" })).toThrow(
      "Two.environmentName: production is that of Own/One already",
    );
  });
});

describe("names", () => {
  const namesOf = (...ids: readonly string[]) => {
    const stack = new Stack(undefined, "Flags");
    const pipelines = ids.map((id, index) => new FlagsmithToSegment(stack, id, { environmentName: `e${index}` }));
    return pipelines.map(({ name }) => name);
  };

  it("are the stack's and the construct's, within each service's length and characters", () => {
    const [own, second, long = "", odd] = namesOf("FlagsmithToSegment", "Second", "x".repeat(200), "My pipeline 🚩 (eu)");
    expect([own, second, long.length]).toEqual(["Flags", "Flags/Second", 128]);
    expect(odd).toMatch(/^Flags\/My_pipeline_+eu_-[0-9a-f]{8}$/);
  });

  it("begin with the top stack's in a nested stack, whose own is known only at a deploy", () => {
    const nested = new NestedStack(new Stack(undefined, "Flags"), "Nested");
    expect(new FlagsmithToSegment(nested, "Pipeline", { environmentName: "production" }).name).toBe("Flags/Nested/Pipeline");
    const ofReceive = { Description: Match.stringLikeRegexp("^Verifies") };
    const functions = Template.fromStack(nested).findResources("AWS::Lambda::Function", { Properties: ofReceive });
    const [config] = Object.values(functions).map(({ Properties: { Environment } }) => Environment.Variables.CONFIG);
    const names = { stackName: "Flags", pipelineName: "Flags/Nested/Pipeline" };
    expect(JSON.parse(resolve(config, (reference) => reference))).toMatchObject(names);
  });

  it("differ for ids that differ in a character that no name can have, or beyond the length", () => {
    expect(new Set(namesOf("a b", "a_b", "a(b")).size).toBe(3);
    expect(new Set(namesOf(`${"x".repeat(200)}1`, `${"x".repeat(200)}2`)).size).toBe(2);
  });
});

it("a domain of one's own is mapped to the API's stage, and the API's own address can be switched off", () => {
  const { stack, pipeline } = setUp();
  const certificate = Certificate.fromCertificateArn(stack, "Certificate", "arn:aws:acm:eu-west-1:123456789012:certificate/1");
  const domainName = new DomainName(stack, "Domain", { domainName: "flags.example.com", certificate });
  new ApiMapping(stack, "Mapping", { api: pipeline.api, stage: pipeline.stage, domainName });
  (pipeline.api.node.defaultChild as CfnApi).disableExecuteApiEndpoint = true;
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::ApiGatewayV2::ApiMapping", { Stage: "$default" });
  template.hasResourceProperties("AWS::ApiGatewayV2::Api", { DisableExecuteApiEndpoint: true });
});

describe("a function that rotates a secret", () => {
  it.each([
    ["the webhook secret", "grantReadWebhookSecret", "webhookSecretParameterName"],
    ["the write key", "grantReadWriteKey", "writeKeyParameterName"],
  ] as const)("may read %s and nothing else", (_, grant, name) => {
    const { stack, pipeline } = setUp(() => ({ kmsKeyArn: KEY_ARN }));
    pipeline[grant](new Role(stack, "Rotation", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") }));
    const policies = Template.fromStack(stack).findResources("AWS::IAM::Policy");
    const [, policy] = Object.entries(policies).find(([id]) => id.startsWith("Rotation")) ?? [];
    const [read, decrypt, ...others] = policy?.Properties.PolicyDocument.Statement ?? [];
    expect(JSON.stringify(read)).toContain(`:parameter${pipeline[name]}`);
    expect([read.Action, decrypt.Action, decrypt.Resource, others]).toEqual(["ssm:GetParameter", "kms:Decrypt", KEY_ARN, []]);
  });
});

describe("a pipeline with an encryption key and a VPC", () => {
  const { stack } = setUp((own) => ({ ...placeOf(own), forward: "changes" }));
  const template = Template.fromStack(stack);
  const key = { "Fn::GetAtt": [Match.stringLikeRegexp("^Key"), "Arn"] };

  it("encrypts both queues, the table and the three log groups", () => {
    template.allResourcesProperties("AWS::SQS::Queue", { KmsMasterKeyId: key });
    template.allResourcesProperties("AWS::Logs::LogGroup", { KmsKeyId: key });
    template.hasResourceProperties("AWS::DynamoDB::Table", { SSESpecification: { SSEEnabled: true, KMSMasterKeyId: key } });
  });

  it("lets CloudWatch Logs use the key for this account's log groups only", () => {
    const Condition = { ArnLike: { "kms:EncryptionContext:aws:logs:arn": Match.anyValue() } };
    const statement = Match.objectLike({ Sid: "FlagsmithToSegmentLogs", Condition });
    template.hasResourceProperties("AWS::KMS::Key", { KeyPolicy: { Statement: Match.arrayWith([statement]) } });
  });

  it("has both functions in the VPC, with the subnets and security groups that were given", () => {
    template.allResourcesProperties("AWS::Lambda::Function", {
      VpcConfig: {
        SubnetIds: ["subnet-0123456789abcdef0"],
        SecurityGroupIds: [{ "Fn::GetAtt": [Match.stringLikeRegexp("^Group"), "GroupId"] }],
      },
    });
  });

  it.each(["Receive", "Deliver"])("gives the role of %s the rights to use the key and network interfaces", (role) => {
    const policies = Object.entries(template.findResources("AWS::IAM::Policy")).filter(([id]) => id.includes(`${role}Role`));
    const statements: readonly { readonly Action: string | readonly string[] }[] = policies.flatMap(
      ([, { Properties }]) => Properties.PolicyDocument.Statement,
    );
    const actions = new Set(statements.flatMap(({ Action: action }) => action).filter((action) => /^(kms|ec2):/.test(action)));
    const interfaces = ["AssignPrivateIpAddresses", "CreateNetworkInterface", "DeleteNetworkInterface"];
    interfaces.push("DescribeNetworkInterfaces", "DescribeSubnets", "UnassignPrivateIpAddresses");
    expect([...actions].sort()).toEqual([...interfaces.map((name) => `ec2:${name}`), "kms:Decrypt", "kms:GenerateDataKey"]);
  });
});

describe("a warning at synth", () => {
  it.each<[string, Props]>([
    ["flags excludes every flag", { flags: { exclude: ["*"] } }],
    ["identities excludes every identity", { identities: { include: [] } }],
    ["identities excludes every identity", { identities: { include: ["a"], exclude: ["a", "b"] } }],
    ["flagsmithTraits is an empty list", { flagsmithTraits: [] }],
    ["refreshHours has no effect", { refreshHours: 12 }],
  ])("says that option %s", (text, props) => {
    expect(warningsOf(() => props)).toEqual([expect.stringContaining(`Option ${text}`)]);
  });

  /** What an organisation's aspect does to each resource of a kind. */
  const override = (kind: new (...args: never[]) => CfnResource, properties: Readonly<Record<string, unknown>>): IAspect => ({
    visit: (node) => {
      if (!(node instanceof kind)) return;
      for (const [path, value] of Object.entries(properties)) node.addPropertyOverride(path, value);
    },
  });
  const level = (name: string) => ({ "LoggingConfig.LogFormat": "JSON", "LoggingConfig.ApplicationLogLevel": name });

  it.each<[string, IAspect, RegExp]>([
    ...["WARN", "ERROR", "FATAL"].map((name): [string, IAspect, RegExp] => {
      return [`log level ${name}`, override(CfnFunction, level(name)), /ApplicationLogLevel \w+ drops log entries/];
    }),
    ["another log group", override(CfnFunction, { "LoggingConfig.LogGroup": "/central" }), /writes to another log group/],
    [
      "variables of Powertools and Lambda",
      override(CfnFunction, { "Environment.Variables": { POWERTOOLS_DEV: "true", AWS_LAMBDA_LOG_LEVEL: "WARN", OTHER: "x" } }),
      /: POWERTOOLS_DEV, AWS_LAMBDA_LOG_LEVEL changes nothing/,
    ],
    ["a VPC", override(CfnFunction, { VpcConfig: { SubnetIds: ["subnet-1"] } }), /its role can't create network interfaces/],
    ["a key of a queue", override(CfnQueue, { KmsMasterKeyId: "alias/mine" }), /no right to use it/],
  ])("names what an aspect changed: %s", (_, aspect, message) => {
    expect(warningsOf(() => ({}), aspect)).toEqual([expect.stringMatching(message), expect.stringMatching(message)]);
  });

  it("has the statement that the policy of an imported key needs, as JSON", () => {
    const [warning = ""] = warningsOf((stack) => ({ encryptionKey: Key.fromKeyArn(stack, "Key", KEY_ARN) }));
    const [text = ""] = /(?<=Add this statement to it: )\{.*\}/.exec(warning) ?? [];
    const { Effect, Principal, Action, Condition } = JSON.parse(text);
    const logs = resolve(Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"], String);
    expect([Effect, resolve(Principal.Service, String)]).toEqual(["Allow", "logs.us-east-1.amazonaws.com"]);
    expect(logs).toBe("arn:aws:logs:us-east-1:000000000000:log-group:*");
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    const actions = ["Decrypt*", "Describe*", "Encrypt*", "GenerateDataKey*", "ReEncrypt*"];
    expect(Action).toEqual(actions.map((action) => `kms:${action}`));
  });

  it("does not appear for what has an effect and what the pipeline was given", () => {
    const options: Props = { forward: "changes", refreshHours: 12, flags: { exclude: ["a"] }, identities: { include: ["a*"] } };
    expect(warningsOf((stack) => ({ ...options, ...placeOf(stack) }), override(CfnFunction, level("INFO")))).toEqual([]);
  });
});

describe("an app with another copy of aws-cdk-lib", () => {
  const stackOf = (copy: typeof cdk) => new copy.Stack(new copy.App(), "Stack");
  const warnings = (stack: Stack) => {
    warnOfOtherCdk(stack);
    return stack.node.metadata.filter(({ type }) => type === "aws:cdk:warning").map(({ data }) => data);
  };

  it("gets a warning that its aspects may not see the functions", () => {
    let stack = stackOf(cdk);
    expect(warnings(stack)).toEqual([]);
    // aws-cdk-lib loads its classes when they are first used, so the stack is made while the copies are apart.
    jest.isolateModules(() => {
      stack = stackOf(jest.requireActual("aws-cdk-lib"));
    });
    expect(warnings(stack)).toEqual([expect.stringContaining("another copy of aws-cdk-lib")]);
  });
});
