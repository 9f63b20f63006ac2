import { join } from "node:path";
import { ArnFormat, type Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction, OutputFormat, SourceMapMode } from "aws-cdk-lib/aws-lambda-nodejs";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { type FunctionName, type Options, resolveOptions, toEnvironment } from "../lambda/contract";

export interface RoadFunctionProps {
  readonly functionName: FunctionName;
  readonly description: string;
  readonly options: Options;
  /** MB. */
  readonly memorySize: number;
  readonly timeout: Duration;
}

const ROOT = join(__dirname, "..");

/** One of the two functions: a bundle of its own, a log group of its own, and a role that can do nothing but write to it. */
export class RoadFunction extends NodejsFunction {
  constructor(scope: Construct, id: string, props: RoadFunctionProps) {
    const { functionName, description, options, memorySize, timeout } = props;
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: resolveOptions(options).logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // The managed policy that CDK would attach allows writing to every log group of the account.
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    super(scope, id, {
      entry: join(ROOT, "lambda", `${functionName}.lambda.ts`),
      projectRoot: ROOT,
      depsLockFilePath: join(ROOT, "package-lock.json"),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      description,
      memorySize,
      timeout,
      role,
      logGroup,
      environment: { ...toEnvironment(functionName, options) },
      bundling: {
        format: OutputFormat.CJS, // imports faster than ESM
        minify: true,
        // For reading stack traces by hand: NODE_OPTIONS=--enable-source-maps would cost every cold start 30-45 ms.
        sourceMap: true,
        sourceMapMode: SourceMapMode.EXTERNAL,
        sourcesContent: false,
        // CDK's defaults, main first and the SDK left out, cost 70-85 ms of cold start.
        mainFields: ["module", "main"],
        bundleAwsSDK: true,
        target: "node24",
      },
    });
  }
}

/** Lets a function read one SecureString, and its key decrypt that parameter and no other. */
export function grantParameter(
  reader: LambdaFunction,
  sid: string,
  name: string,
  kmsKeyArn: string | undefined,
): void {
  const arn = Stack.of(reader).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: name.replace(/^\//, ""),
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
  reader.addToRolePolicy(
    new PolicyStatement({
      sid: `Read${sid}`,
      effect: Effect.ALLOW,
      actions: ["ssm:GetParameter"],
      resources: [arn],
    }),
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
