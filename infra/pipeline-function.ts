import { existsSync } from "node:fs";
import { join } from "node:path";
import { ArnFormat, type Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime, RuntimeFamily } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { CONFIG_VARIABLE, type DeliverConfig, type ReceiveConfig } from "../lambda/config";
import type { FunctionName } from "../lambda/names";

export interface PipelineFunctionProps {
  readonly functionName: FunctionName;
  readonly description: string;
  readonly config: ReceiveConfig | DeliverConfig;
  readonly logRetentionDays: number;
  /** MB. */
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly reservedConcurrency?: number | undefined;
}

/** One of the two functions: a bundle of its own, a log group of its own, and a role that can do nothing but write to it. */
export class PipelineFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    const { functionName, description, config, logRetentionDays, memorySize, timeout, reservedConcurrency } = props;
    const logGroup = new LogGroup(scope, `${id}Logs`, { retention: logRetentionDays, removalPolicy: RemovalPolicy.DESTROY });
    // The managed policy that CDK would attach allows writing to every log group of the account.
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    super(scope, id, {
      code: codeOf(functionName),
      handler: "index.handler",
      // By name: CDK releases before Lambda had it do not know Node.js 24.
      runtime: new Runtime("nodejs24.x", RuntimeFamily.NODEJS),
      architecture: Architecture.ARM_64,
      description,
      memorySize,
      timeout,
      role,
      logGroup,
      // With format JSON, Lambda drops entries below its own log level.
      loggingFormat: LoggingFormat.TEXT,
      ...(reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: reservedConcurrency }),
      // Names and ARNs of resources are known at deploy.
      environment: { [CONFIG_VARIABLE]: Stack.of(scope).toJsonString(config) },
    });
  }
}

const FUNCTIONS = join(__dirname, "../functions");
const bundled = new Map<FunctionName, string>();

/** The package has the bundles. Where the sources are, they are bundled first: what lies in `dist/` may be of other sources. */
function codeOf(functionName: FunctionName): Code {
  const sources = existsSync(join(__dirname, `../lambda/${functionName}.lambda.ts`));
  if (sources && !bundled.has(functionName)) {
    // Not in the package: it needs esbuild.
    const { bundle }: { bundle(name: FunctionName): { readonly directory: string } } = require("./bundle");
    bundled.set(functionName, bundle(functionName).directory);
  }
  return Code.fromAsset(bundled.get(functionName) ?? join(FUNCTIONS, functionName));
}

/** Lets a function read one SecureString, and its key decrypt that parameter and no other. */
export function grantParameter(reader: LambdaFunction, sid: string, name: string, kmsKeyArn: string | undefined): void {
  const arn = Stack.of(reader).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: name.replace(/^\//, ""),
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
  reader.addToRolePolicy(
    new PolicyStatement({ sid: `Read${sid}`, effect: Effect.ALLOW, actions: ["ssm:GetParameter"], resources: [arn] }),
  );
  // The AWS-managed key lets every principal of the account decrypt through SSM; a key of the customer's own does not.
  if (kmsKeyArn === undefined) return;
  reader.addToRolePolicy(
    new PolicyStatement({
      sid: `Decrypt${sid}`,
      effect: Effect.ALLOW,
      actions: ["kms:Decrypt"],
      resources: [kmsKeyArn],
      conditions: { StringEquals: { "kms:EncryptionContext:PARAMETER_ARN": arn } },
    }),
  );
}
