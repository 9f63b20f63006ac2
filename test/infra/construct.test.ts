import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { App, Aspects, type IAspect, Stack, Validations } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { ApiMapping, type CfnApi, DomainName } from "aws-cdk-lib/aws-apigatewayv2";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { CfnAlarm } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Topic } from "aws-cdk-lib/aws-sns";
import { AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks } from "cdk-nag";
import { FlagsmithToSegment, type FlagsmithToSegmentProps } from "../../infra/flagsmith-to-segment";
import { Monitoring, type MonitoringProps } from "../../infra/monitoring/monitoring";

const README = readFileSync(join(__dirname, "../../infra/README.md"), "utf8");
const KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";

function setUp(props: (stack: Stack) => Partial<FlagsmithToSegmentProps> = () => ({})) {
  const app = new App();
  const stack = new Stack(app, "Own");
  const pipeline = new FlagsmithToSegment(stack, "Pipeline", { environmentName: "production", ...props(stack) });
  return { app, stack, pipeline, template: () => Template.fromStack(stack) };
}

const vpcOf = (stack: Stack) =>
  Vpc.fromVpcAttributes(stack, "Vpc", {
    vpcId: "vpc-0123456789abcdef0",
    availabilityZones: ["eu-west-1a"],
    privateSubnetIds: ["subnet-0123456789abcdef0"],
  });

/** The actions of the statements of a function's role. */
function actionsOf(template: Template, role: "Receive" | "Deliver", of: RegExp): readonly string[] {
  const policies = Object.entries(template.findResources("AWS::IAM::Policy")).filter(([id]) => id.includes(`${role}Role`));
  const statements: readonly { readonly Action: string | readonly string[] }[] = policies.flatMap(
    ([, { Properties }]) => Properties.PolicyDocument.Statement,
  );
  return [...new Set(statements.flatMap(({ Action: action }) => action))].filter((action) => of.test(action)).sort();
}

describe("a domain of one's own", () => {
  it("is mapped to the API's stage, and the API's own address can be switched off", () => {
    const { stack, pipeline, template } = setUp();
    const certificate = Certificate.fromCertificateArn(
      stack,
      "Certificate",
      "arn:aws:acm:eu-west-1:123456789012:certificate/1",
    );
    const domainName = new DomainName(stack, "Domain", { domainName: "flags.example.com", certificate });
    new ApiMapping(stack, "Mapping", { api: pipeline.api, stage: pipeline.stage, domainName });
    (pipeline.api.node.defaultChild as CfnApi).disableExecuteApiEndpoint = true;
    template().hasResourceProperties("AWS::ApiGatewayV2::ApiMapping", { Stage: "$default" });
    template().hasResourceProperties("AWS::ApiGatewayV2::Api", { DisableExecuteApiEndpoint: true });
  });
});

describe("a function that rotates a secret", () => {
  it.each([
    ["the webhook secret", "grantReadWebhookSecret", "webhookSecretParameterName"],
    ["the write key", "grantReadWriteKey", "writeKeyParameterName"],
  ] as const)("may read %s and nothing else", (_, grant, name) => {
    const { stack, pipeline, template } = setUp(() => ({ kmsKeyArn: KEY_ARN }));
    const role = new Role(stack, "Rotation", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    pipeline[grant](role);
    const [[, policy] = []] = Object.entries(template().findResources("AWS::IAM::Policy")).filter(([id]) =>
      id.startsWith("Rotation"),
    );
    const [read, decrypt, ...others] = policy?.Properties.PolicyDocument.Statement ?? [];
    expect(JSON.stringify(read)).toContain(`:parameter${pipeline[name]}`);
    expect([read.Action, decrypt.Action, decrypt.Resource, others]).toEqual(["ssm:GetParameter", "kms:Decrypt", KEY_ARN, []]);
  });
});

describe("an encryption key", () => {
  it("encrypts both queues, the table and the three log groups", () => {
    const { template } = setUp((stack) => ({ encryptionKey: new Key(stack, "Key"), forward: "changes" }));
    const key = { "Fn::GetAtt": [Match.stringLikeRegexp("^Key"), "Arn"] };
    template().allResourcesProperties("AWS::SQS::Queue", { KmsMasterKeyId: key });
    template().allResourcesProperties("AWS::Logs::LogGroup", { KmsKeyId: key });
    template().hasResourceProperties("AWS::DynamoDB::Table", { SSESpecification: { SSEEnabled: true, KMSMasterKeyId: key } });
  });

  it("may be used by both roles, and by CloudWatch Logs for this account's log groups only", () => {
    const { template } = setUp((stack) => ({ encryptionKey: new Key(stack, "Key") }));
    for (const role of ["Receive", "Deliver"] as const) {
      expect(actionsOf(template(), role, /^kms:/)).toEqual(["kms:Decrypt", "kms:GenerateDataKey"]);
    }
    template().hasResourceProperties("AWS::KMS::Key", {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Sid: "FlagsmithToSegmentLogs",
            Condition: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": Match.anyValue() } },
          }),
        ]),
      },
    });
  });

  it("that is imported gets a warning with the statement to add, as JSON", () => {
    const { stack } = setUp((own) => ({ encryptionKey: Key.fromKeyArn(own, "Key", KEY_ARN) }));
    const [warning] = Annotations.fromStack(stack).findWarning("/Own/Pipeline", Match.stringLikeRegexp("Add this statement"));
    const [text = ""] = /\{.*\}/.exec(String(warning?.entry.data)) ?? [];
    expect(JSON.parse(text)).toMatchObject({ Effect: "Allow", Principal: { Service: expect.anything() } });
  });

  it("is not needed: without one, no role has a right to any", () => {
    expect(actionsOf(setUp().template(), "Deliver", /^kms:/)).toEqual([]);
  });
});

describe("a VPC", () => {
  it("holds both functions, with the security groups that were given", () => {
    const { template } = setUp((stack) => {
      const vpc = vpcOf(stack);
      return { vpc, securityGroups: [new SecurityGroup(stack, "Group", { vpc })] };
    });
    template().allResourcesProperties("AWS::Lambda::Function", {
      VpcConfig: {
        SubnetIds: ["subnet-0123456789abcdef0"],
        SecurityGroupIds: [{ "Fn::GetAtt": [Match.stringLikeRegexp("^Group"), "GroupId"] }],
      },
    });
  });

  it("gives the roles the right to network interfaces, and only then", () => {
    const actions = [
      "AssignPrivateIpAddresses",
      "CreateNetworkInterface",
      "DeleteNetworkInterface",
      "DescribeNetworkInterfaces",
    ];
    const wanted = [...actions, "DescribeSubnets", "UnassignPrivateIpAddresses"].map((action) => `ec2:${action}`);
    expect(actionsOf(setUp((stack) => ({ vpc: vpcOf(stack) })).template(), "Receive", /^ec2:/)).toEqual(wanted);
    expect(actionsOf(setUp().template(), "Receive", /^ec2:/)).toEqual([]);
  });

  it("and a key that were given are no override that synth warns of", () => {
    const { app, stack } = setUp((own) => ({ vpc: vpcOf(own), encryptionKey: new Key(own, "Key") }));
    app.synth();
    expect(Annotations.fromStack(stack).findWarning("/Own/Pipeline", Match.anyValue())).toEqual([]);
  });
});

describe("monitoring", () => {
  const monitored = (props: (stack: Stack) => Partial<MonitoringProps> = () => ({})) => {
    const set = setUp();
    return { ...set, monitoring: new Monitoring(set.stack, "Monitoring", { pipeline: set.pipeline, ...props(set.stack) }) };
  };
  const warnings = (app: App, stack: Stack) => {
    app.synth();
    return Annotations.fromStack(stack).findWarning("/Own/Monitoring", Match.stringLikeRegexp("No one is notified"));
  };

  it("gives each alarm by its construct id, the dashboard and the mail topic", () => {
    const { monitoring } = monitored(() => ({ alarmEmail: "a@example.com" }));
    const { DeadLetters: deadLetters, BacklogMerged: merged, NoTraffic: none } = monitoring.alarms;
    expect([deadLetters.node.id, merged?.node.id, none]).toEqual(["DeadLetters", "BacklogMerged", undefined]);
    expect([monitoring.dashboard.node.id, monitoring.topic?.node.id]).toEqual(["Dashboard", "Alarms"]);
  });

  it("sends each alarm to all topics", () => {
    const { template } = monitored((stack) => ({ alarmTopics: [new Topic(stack, "One"), new Topic(stack, "Two")] }));
    const topics = [{ Ref: Match.stringLikeRegexp("^One") }, { Ref: Match.stringLikeRegexp("^Two") }];
    template().allResourcesProperties("AWS::CloudWatch::Alarm", { AlarmActions: topics, OKActions: topics });
  });

  it("warns if no alarm has an action after all aspects", () => {
    const { app, stack } = monitored();
    expect(warnings(app, stack)).toHaveLength(1);
  });

  it("does not warn if the app added an action, itself or by an aspect", () => {
    const own = monitored();
    own.monitoring.alarms.DeadLetters.addAlarmAction(new SnsAction(new Topic(own.stack, "Own")));
    expect(warnings(own.app, own.stack)).toEqual([]);
    const byAspect = monitored();
    const visit: IAspect["visit"] = (node) => {
      if (node instanceof CfnAlarm) node.alarmActions = ["arn:aws:sns:eu-west-1:123456789012:central"];
    };
    Aspects.of(byAspect.app).add({ visit });
    expect(warnings(byAspect.app, byAspect.stack)).toEqual([]);
  });
});

describe("the asset of a function", () => {
  it("has files that everyone may read, under any umask", () => {
    const umask = process.umask(0o077);
    try {
      const { app } = setUp();
      const { directory } = app.synth();
      const assets = readFileSync(join(directory, "Own.assets.json"), "utf8");
      const folders = [...assets.matchAll(/"path": "(asset\.[^"]+)"/g)].map(([, path = ""]) => join(directory, path));
      expect(folders).toHaveLength(2);
      for (const folder of folders) expect(statSync(join(folder, "index.js")).mode & 0o777).toBe(0o644);
    } finally {
      process.umask(umask);
    }
  });
});

describe("cdk-nag", () => {
  type Pack = typeof AwsSolutionsChecks | typeof HIPAASecurityChecks | typeof NIST80053R5Checks | typeof PCIDSS321Checks;

  /** The rules that a pack finds, without the pack's name. */
  function findingsOf(Pack: Pack, props: (stack: Stack) => Partial<FlagsmithToSegmentProps>) {
    const { app, stack, pipeline } = setUp((own) => ({ forward: "changes", ...props(own) }));
    new Monitoring(stack, "Monitoring", { pipeline, alarmEmail: "a@example.com" });
    Validations.of(app).addPlugins(new Pack(app));
    const printed: string[] = [];
    const print = jest.spyOn(console, "error").mockImplementation((...texts) => void printed.push(texts.join(" ")));
    const write = jest.spyOn(process.stderr, "write").mockImplementation((text) => printed.push(String(text)) > 0);
    try {
      app.synth();
    } catch (error) {
      printed.push(String(error));
    } finally {
      print.mockRestore();
      write.mockRestore();
    }
    const rules = printed.join("\n").matchAll(/Acknowledge with '[^:]+::[A-Za-z0-9.]+-([A-Za-z0-9]+)/g);
    return [...new Set([...rules].map(([, rule = ""]) => rule))].sort();
  }

  it.each([
    ["HIPAA", HIPAASecurityChecks],
    ["NIST", NIST80053R5Checks],
    ["PCI", PCIDSS321Checks],
  ])("finds with the %s pack what the README's table says", (name, Pack) => {
    const rows = [...README.matchAll(/^\| (\w+) \| ([A-Z, ]+) \|/gm)].filter(([, , packs = ""]) => packs.includes(name));
    expect(findingsOf(Pack, () => ({}))).toEqual(rows.map(([, rule]) => rule).sort());
  });

  it("finds with AwsSolutions what the README acknowledges, with changes, a key and a VPC", () => {
    const place = (stack: Stack) => ({ vpc: vpcOf(stack), encryptionKey: new Key(stack, "Key", { enableKeyRotation: true }) });
    expect(findingsOf(AwsSolutionsChecks, place)).toEqual(["APIG4", "DDB3", "IAM5"]);
    for (const rule of ["AwsSolutions-APIG4", "AwsSolutions-DDB3", "AwsSolutions-IAM5"]) expect(README).toContain(rule);
  });
});
