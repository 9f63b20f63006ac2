import { createHash } from "node:crypto";
import { NestedStack, Stack } from "aws-cdk-lib";
import type { Construct, IConstruct } from "constructs";

/** What the clone's app calls its pipeline. It adds nothing to the stack's name. */
const DEFAULT_ID = "FlagsmithToSegment";

/** API Gateway's limit for a name. The other services that get it, with an addition of their own, take 255 and more. */
const MAX_NAME_LENGTH = 128;
const HASH_LENGTH = 8;

/**
 * The name of a pipeline: its stack's, and its path within it, so that two pipelines of one stack share no name. API, metric namespace,
 * alarms, queries and the access log have it, so it keeps within what all of them take.
 */
export function pipelineName(pipeline: Construct): string {
  const stack = topStackOf(pipeline);
  const path = pipeline.node.scopes.slice(stack.node.scopes.length).map(({ node }) => node.id);
  const name = [stack.stackName, ...path.filter((id) => id !== DEFAULT_ID)].join("/");
  return restricted(name, /[^\w.\-/#]/g, MAX_NAME_LENGTH);
}

/** Names of nested stacks are known at deploy only. */
export function topStackOf(construct: IConstruct): Stack {
  const stack = Stack.of(construct);
  return stack instanceof NestedStack && stack.nestedStackParent ? topStackOf(stack.nestedStackParent) : stack;
}

/** For names that take letters, digits, dashes and underscores only. */
export function plainName(name: string): string {
  return restricted(name, /[^\w-]/g, MAX_NAME_LENGTH);
}

/** The name with only what is allowed. If that changes it, its hash is added: two names never become one. */
function restricted(name: string, notAllowed: RegExp, maxLength: number): string {
  const plain = name.replace(notAllowed, "_");
  if (plain === name && name.length <= maxLength) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_LENGTH);
  return `${plain.slice(0, maxLength - HASH_LENGTH - 1)}-${hash}`;
}
