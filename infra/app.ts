import { App } from "aws-cdk-lib";
import { ConfigurationError } from "../lambda/errors";
import { acknowledgeRules } from "./acknowledge";
import { addStacks } from "./stack";

try {
  const app = new App();
  for (const stack of addStacks(app)) acknowledgeRules(stack.pipeline);
} catch (error) {
  // A fault in cdk.json is for its author to read: the message lists what is allowed, a stack trace would hide it.
  if (!(error instanceof ConfigurationError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
