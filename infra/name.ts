import { NestedStack, Stack } from "aws-cdk-lib";
import type { Construct, IConstruct } from "constructs";

/** What the clone's app calls its pipeline. It adds nothing to the stack's name. */
const DEFAULT_ID = "FlagsmithToSegment";

/**
 * The name of a pipeline: its stack's, and its path within it. Alarms, queries and metrics begin with it, so that two pipelines of
 * one stack share none.
 */
export function pipelineName(pipeline: Construct): string {
  const stack = topStackOf(pipeline);
  const path = pipeline.node.scopes.slice(stack.node.scopes.length).map(({ node }) => node.id);
  return [stack.stackName, ...path.filter((id) => id !== DEFAULT_ID)].join("/");
}

/** Names of nested stacks are known at deploy only. */
export function topStackOf(construct: IConstruct): Stack {
  const stack = Stack.of(construct);
  return stack instanceof NestedStack && stack.nestedStackParent ? topStackOf(stack.nestedStackParent) : stack;
}

/** For names that take letters, digits, dashes and underscores only. */
export function plainName(name: string): string {
  return name.replace(/[^\w-]/g, "_");
}
