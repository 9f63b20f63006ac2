import { type App, Validations } from "aws-cdk-lib";
import { CfnQueue, Queue } from "aws-cdk-lib/aws-sqs";
import { AwsSolutionsChecks } from "cdk-nag";
import { acknowledgeRules } from "../../infra/acknowledge";
import type { FlagsmithToSegmentStack } from "../../infra/stack";
import { synthesizeApp } from "../support/synth";

/** Synthesizes with AwsSolutions and the built-in template linter, after a change. */
function synthesize(change: (stack: FlagsmithToSegmentStack) => void = () => {}): App {
  const kmsKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/1";
  const environments = { production: {}, other: { kmsKeyArn, forward: "changes", alarmEmail: "on-call@example.com" } };
  const { app, stacks } = synthesizeApp(environments, { linted: true });
  for (const { pipeline } of stacks) acknowledgeRules(pipeline);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  for (const stack of stacks) change(stack);
  app.synth();
  return app;
}

describe("cdk-nag and the template linter", () => {
  it("find only what is acknowledged, each with a reason", () => {
    const reasons = synthesize()
      .node.findAll()
      .flatMap(({ node }) => node.metadata)
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.values(data));
    expect(reasons).toEqual(reasons.map(() => expect.stringMatching(/\w+ \w+ \w+/)));
    expect(reasons).not.toHaveLength(0);
  });

  it("find a queue that accepts messages without TLS", () => {
    expect(() => synthesize((stack) => new Queue(stack, "Plain"))).toThrow(/AwsSolutions-SQS4/);
  });

  it("find a visibility timeout below deliver's timeout", () => {
    const shorten = (stack: FlagsmithToSegmentStack) => {
      for (const queue of stack.node.findAll().filter(CfnQueue.isCfnQueue)) queue.visibilityTimeout = 30;
    };
    expect(() => synthesize(shorten)).toThrow(/isibility/);
  });
});
