import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { context } from "../../cdk.json";
import { addStacks, type FlagsmithToSegmentStack } from "../../infra/stack";
import type { Options } from "../../lambda/options";

/** An app over the given environments that does not bundle: what the functions hold is not what these tests are about. */
export function synthesizeApp(environments: unknown = { production: {} }): {
  readonly app: App;
  readonly stacks: readonly FlagsmithToSegmentStack[];
} {
  const app = new App({ context: { ...context, environments, "aws:cdk:bundling-stacks": [] } });
  return { app, stacks: addStacks(app) };
}

/** The template of one environment called production. */
export function templateOf(options: Options = {}): Template {
  const [stack] = synthesizeApp({ production: options }).stacks;
  if (stack === undefined) throw new Error("no stack");
  return Template.fromStack(stack);
}
