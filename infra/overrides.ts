import { Annotations, type CfnResource, Stack } from "aws-cdk-lib";
import type { IVpc } from "aws-cdk-lib/aws-ec2";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

/** Levels that drop entries of level INFO. Metrics, alarms and queries need these entries. */
const HIDING_LEVELS: readonly unknown[] = ["WARN", "ERROR", "FATAL"];
/** Environment variables that configure the logs of Lambda and Powertools. */
const LOG_VARIABLE = /^(POWERTOOLS_.*|AWS_LAMBDA_LOG_LEVEL|AWS_LAMBDA_LOG_FORMAT|LOG_LEVEL)$/;

interface Parts {
  readonly functions: readonly LambdaFunction[];
  readonly queues: readonly Queue[];
  /** The construct's prop. */
  readonly encryptionKey: IKey | undefined;
  readonly vpc: IVpc | undefined;
}

/**
 * Warns if an aspect or an override of the app changed the construct's resources so that log entries are hidden, or so that the roles
 * lack rights. It runs after all aspects, and returns no error.
 */
export function warnOfOverrides(construct: Construct, { functions, queues, encryptionKey, vpc }: Parts): void {
  construct.node.addValidation({
    validate: () => {
      const warn = (code: string, message: string) => {
        Annotations.of(construct).addWarningV2(`flagsmith-to-segment:${code}`, message);
      };
      for (const each of functions)
        checkFunction(each, vpc, (code, text) => warn(`${each.node.id}:${code}`, `${each.node.id}: ${text}`));
      if (encryptionKey === undefined)
        for (const each of queues)
          checkQueue(each, (code, text) => warn(`${each.node.id}:${code}`, `${each.node.id}: ${text}`));
      return [];
    },
  });
}

type Warn = (code: string, text: string) => void;

function checkFunction(lambda: LambdaFunction, givenVpc: IVpc | undefined, warn: Warn): void {
  const { LoggingConfig: logging = {}, Environment: environment = {}, VpcConfig: vpc } = propertiesOf(lambda);
  const { LogFormat: format, ApplicationLogLevel: level, LogGroup: logGroup } = Object(logging);
  if (format === "JSON" && HIDING_LEVELS.includes(level)) {
    warn(
      "log-level",
      `ApplicationLogLevel ${level} drops log entries that alarms count. Set it to INFO, or LogFormat to Text.`,
    );
  }
  const own = Stack.of(lambda).resolve(lambda.logGroup.logGroupName);
  if (JSON.stringify(logGroup) !== JSON.stringify(own)) {
    warn("log-group", "it writes to another log group than the one whose entries metrics and alarms count.");
  }
  const variables = Object.keys(Object(Object(environment).Variables)).filter((name) => LOG_VARIABLE.test(name));
  if (variables.length > 0) {
    warn("log-variables", `${variables.join(", ")} changes nothing: no variable may hide log entries. Remove it.`);
  }
  if (vpc !== undefined && givenVpc === undefined) {
    warn("vpc", "its VPC configuration was not made by this construct, so its role can't create network interfaces.");
  }
}

function checkQueue(queue: Queue, warn: Warn): void {
  if (propertiesOf(queue).KmsMasterKeyId === undefined) return;
  warn("queue-key", "its key was not given to this construct, so the functions' roles have no right to use it.");
}

/** The resource's properties in the template, including overrides. CDK has no public method for this, so an internal one is called. */
function propertiesOf(resource: LambdaFunction | Queue): Readonly<Record<string, unknown>> {
  const cfn = resource.node.defaultChild as CfnResource;
  const { Resources: resources } = Stack.of(resource).resolve(Object(cfn)._toCloudFormation());
  const [rendered] = Object.values<{ readonly Properties?: Readonly<Record<string, unknown>> }>(resources);
  return rendered?.Properties ?? {};
}

/** With two copies of aws-cdk-lib, an aspect of the app that tests `instanceof CfnFunction` ignores the construct's functions. */
export function warnOfOtherCdk(construct: Construct): void {
  if (Stack.of(construct) instanceof Stack) return;
  const message =
    "The app has another copy of aws-cdk-lib than flagsmith-to-segment, so its aspects may pass over the functions. Install one.";
  Annotations.of(construct).addWarningV2("flagsmith-to-segment:other-cdk", message);
}
