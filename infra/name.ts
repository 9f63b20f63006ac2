import { createHash } from "node:crypto";
import { NestedStack, Stack } from "aws-cdk-lib";
import type { Construct, IConstruct } from "constructs";

/** Construct id of the pipeline in the clone's app. It is not added to the stack's name. */
const DEFAULT_ID = "FlagsmithToSegment";

/** API Gateway's limit for a name. The other services that get the name, with a suffix, allow 255 characters or more. */
const MAX_NAME_LENGTH = 128;
const HASH_LENGTH = 8;

/**
 * The name of a pipeline: the stack's name and the construct's path in the stack, so that two pipelines of one stack have different names.
 * API, metric namespace, alarms, queries and the access log use it, so it has only characters that all of them allow.
 */
export function pipelineName(pipeline: Construct): string {
  const stack = topStackOf(pipeline);
  const path = pipeline.node.scopes.slice(stack.node.scopes.length).map(({ node }) => node.id);
  const name = [stack.stackName, ...path.filter((id) => id !== DEFAULT_ID)].join("/");
  return restricted(name, /[^\w.\-/#]/g, MAX_NAME_LENGTH);
}

/** The name of a nested stack is known only at deploy, so the top stack's name is used. */
export function topStackOf(construct: IConstruct): Stack {
  const stack = Stack.of(construct);
  return stack instanceof NestedStack && stack.nestedStackParent ? topStackOf(stack.nestedStackParent) : stack;
}

/** For names that may have letters, digits, dashes and underscores only. */
export function plainName(name: string): string {
  return restricted(name, /[^\w-]/g, MAX_NAME_LENGTH);
}

/** Replaces the characters that are not allowed. If the name changes, its hash is added, so that two names never become the same. */
function restricted(name: string, notAllowed: RegExp, maxLength: number): string {
  const plain = name.replace(notAllowed, "_");
  if (plain === name && name.length <= maxLength) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_LENGTH);
  return `${plain.slice(0, maxLength - HASH_LENGTH - 1)}-${hash}`;
}
