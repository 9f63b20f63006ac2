import { Annotations, App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { context } from "../../cdk.json";
import { addStacks, type FlagsmithToSegmentStack } from "../../infra/stack";
import type { Options } from "../../lambda/options";

/** CDK's template linter takes six times as long as the synth. */
export const UNLINTED = { ...context, "@aws-cdk/core:validateAgainstDefaultRules": false };

/** Creates an app with the given environments. The warning about alarms without a receiver is hidden unless `warns` is set. */
export function synthesizeApp(
  environments: unknown = { production: {} },
  { linted = false, warns = false } = {},
): { readonly app: App; readonly stacks: readonly FlagsmithToSegmentStack[] } {
  const app = new App({ context: { ...(linted ? context : UNLINTED), environments } });
  const stacks = addStacks(app);
  for (const stack of warns ? [] : stacks) Annotations.of(stack).acknowledgeWarning("flagsmith-to-segment:no-alarm-receiver");
  return { app, stacks };
}

/** The template of one environment called production. */
export function templateOf(options: Options = {}): Template {
  const [stack] = synthesizeApp({ production: options }).stacks;
  if (stack === undefined) throw new Error("no stack");
  return Template.fromStack(stack);
}
