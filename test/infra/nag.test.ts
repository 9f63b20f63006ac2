import { readFileSync } from "node:fs";
import { join } from "node:path";
import { App, Stack, Validations } from "aws-cdk-lib";
import { Vpc } from "aws-cdk-lib/aws-ec2";
import { Key } from "aws-cdk-lib/aws-kms";
import { AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks } from "cdk-nag";
import { acknowledgeRules } from "../../infra/acknowledge";
import { FlagsmithToSegment, type FlagsmithToSegmentProps } from "../../infra/flagsmith-to-segment";
import { Monitoring } from "../../infra/monitoring/monitoring";
import { synthesizeApp } from "../support/synth";

const README = readFileSync(join(__dirname, "../../infra/README.md"), "utf8");

/** The rules that packs find in a pipeline with `forward: "changes"`: `HIPAA.Security-LambdaDLQ`, for example. */
function findings(
  packs: readonly (
    | typeof AwsSolutionsChecks
    | typeof HIPAASecurityChecks
    | typeof NIST80053R5Checks
    | typeof PCIDSS321Checks
  )[],
  props: (stack: Stack) => Partial<FlagsmithToSegmentProps> = () => ({}),
): readonly string[] {
  const app = new App();
  const stack = new Stack(app, "Own");
  const given = { environmentName: "production", forward: "changes", ...props(stack) } as const;
  const pipeline = new FlagsmithToSegment(stack, "Pipeline", given);
  new Monitoring(stack, "Monitoring", { pipeline, alarmEmail: "a@example.com" });
  Validations.of(app).addPlugins(...packs.map((Pack) => new Pack(app)));
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
  const rules = printed.join("\n").matchAll(/Acknowledge with '[^:]+::([A-Za-z0-9.]+-[A-Za-z0-9]+)/g);
  return [...new Set([...rules].map(([, rule = ""]) => rule))].sort();
}

describe("cdk-nag", () => {
  it("finds with the packs HIPAA, NIST and PCI what the README's table says", () => {
    const rows = [...README.matchAll(/^\| (\w+) \| ([A-Z, ]+) \|/gm)];
    const packs: Readonly<Record<string, string>> = { HIPAA: "HIPAA.Security", NIST: "NIST.800.53.R5", PCI: "PCI.DSS.321" };
    const expected = rows.flatMap(([, rule, names = ""]) => names.split(", ").map((name) => `${packs[name]}-${rule}`));
    expect(findings([HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks])).toEqual(expected.sort());
  });

  it("finds with the pack AwsSolutions what the README names, also with a key and a VPC", () => {
    const place = (stack: Stack) => ({
      vpc: Vpc.fromVpcAttributes(stack, "Vpc", { vpcId: "v", availabilityZones: ["a"], privateSubnetIds: ["s"] }),
      encryptionKey: new Key(stack, "Key", { enableKeyRotation: true }),
    });
    const found = findings([AwsSolutionsChecks], place);
    expect(found).toEqual(["AwsSolutions-APIG4", "AwsSolutions-DDB3", "AwsSolutions-IAM5"]);
    for (const rule of found) expect(README).toContain(rule);
  });

  it("and the template linter find nothing in the app that is not acknowledged with a reason", () => {
    const options = { kmsKeyArn: "arn:aws:kms:eu-west-1:123456789012:key/1", forward: "changes", alarmEmail: "a@example.com" };
    const { app, stacks } = synthesizeApp({ production: {}, other: options }, { linted: true });
    for (const { pipeline } of stacks) acknowledgeRules(pipeline);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    app.synth();
    const reasons = app.node
      .findAll()
      .flatMap(({ node }) => node.metadata)
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.values(data));
    expect(reasons).toEqual(Array(3).fill(expect.stringMatching(/\w+ \w+ \w+/)));
  });
});
