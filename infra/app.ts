import { App } from "aws-cdk-lib";
import { ConfigurationError } from "../lambda/errors";
import { acknowledgeRules } from "./acknowledge";
import { addStacks } from "./stack";

try {
  const app = new App();
  for (const stack of addStacks(app)) acknowledgeRules(stack.pipeline);
} catch (error) {
  // An error in cdk.json is shown without a stack trace, which would hide the message that lists what is allowed.
  if (!(error instanceof ConfigurationError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
