import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArnFormat, type Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import { Effect, type IGrantable, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  Architecture,
  Code,
  type FunctionProps,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  RuntimeFamily,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { CONFIG_VARIABLE, type DeliverConfig, type ReceiveConfig } from "../lambda/config";
import type { FunctionName } from "../lambda/names";

/** The network of both functions, and the key of their logs, the queues and the table. */
export interface FunctionPlace {
  readonly encryptionKey: IKey | undefined;
  readonly vpc: IVpc | undefined;
  readonly vpcSubnets: SubnetSelection | undefined;
  readonly securityGroups: readonly ISecurityGroup[] | undefined;
}

export interface PipelineFunctionProps extends FunctionPlace {
  readonly functionName: FunctionName;
  readonly description: string;
  readonly config: ReceiveConfig | DeliverConfig;
  readonly logRetentionDays: number;
  /** In MB. */
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly reservedConcurrency?: number | undefined;
}

/** One of the two functions, with its own bundle, its own log group, and a role that at first may only write to that log group. */
export class PipelineFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    const { functionName, description, config, logRetentionDays, memorySize, timeout, reservedConcurrency } = props;
    const { encryptionKey } = props;
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(encryptionKey === undefined ? {} : { encryptionKey }),
    });
    // CDK's default role has a managed policy that allows writing to every log group of the account.
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    // SQS and DynamoDB use the key with the rights of the caller, which is this role.
    encryptionKey?.grant(role, "kms:Decrypt", "kms:GenerateDataKey");
    if (props.vpc !== undefined) grantNetworkInterfaces(role);
    super(scope, id, {
      code: codeOf(functionName),
      handler: "index.handler",
      // The runtime is given by name, because older CDK releases have no constant for Node.js 24.
      runtime: new Runtime("nodejs24.x", RuntimeFamily.NODEJS),
      architecture: Architecture.ARM_64,
      description,
      memorySize,
      timeout,
      role,
      logGroup,
      // With format JSON, Lambda would drop entries below its own log level.
      loggingFormat: LoggingFormat.TEXT,
      ...networkOf(props),
      ...(reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: reservedConcurrency }),
      // The config contains tokens: the names and ARNs of resources are known only at deploy.
      environment: { [CONFIG_VARIABLE]: Stack.of(scope).toJsonString(config) },
    });
  }
}

const FUNCTIONS = join(__dirname, "../functions");
const staged = new Map<FunctionName, string>();

/** The function's bundle, as a folder that Lambda can read. @throws Error if the package was not built. */
function codeOf(functionName: FunctionName): Code {
  const folder = staged.get(functionName) ?? stage(functionName, bundleOf(functionName));
  staged.set(functionName, folder);
  return Code.fromAsset(folder);
}

/**
 * The package contains the bundles. In the clone, the sources are bundled first, because a bundle in `dist/` may have been made from
 * other sources.
 */
function bundleOf(functionName: FunctionName): string {
  if (!existsSync(join(__dirname, `../lambda/${functionName}.lambda.ts`))) return join(FUNCTIONS, functionName);
  // The import is here because the package does not contain this file, which needs esbuild.
  const { bundle }: { bundle(name: FunctionName): { readonly directory: string } } = require("./bundle");
  return bundle(functionName).directory;
}

/**
 * Copies the bundle with modes that let every user read the files. Files that were installed or built under umask 077 would keep their
 * modes in the asset. Lambda runs as another user, and would fail with EACCES at each start.
 */
function stage(functionName: FunctionName, bundle: string): string {
  if (!existsSync(join(bundle, "index.js"))) {
    throw new Error(`${join(bundle, "index.js")} is missing: run npm ci in the clone, or npm pack and install the tarball`);
  }
  const folder = mkdtempSync(join(tmpdir(), `flagsmith-to-segment-${functionName}-`));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  for (const name of ["index.js", "index.js.map"].filter((each) => existsSync(join(bundle, each)))) {
    copyFileSync(join(bundle, name), join(folder, name));
    chmodSync(join(folder, name), 0o644);
  }
  return folder;
}

function networkOf({
  vpc,
  vpcSubnets,
  securityGroups,
}: FunctionPlace): Pick<FunctionProps, "vpc" | "vpcSubnets" | "securityGroups"> {
  if (vpc === undefined) return {};
  return {
    vpc,
    ...(vpcSubnets === undefined ? {} : { vpcSubnets }),
    ...(securityGroups === undefined ? {} : { securityGroups: [...securityGroups] }),
  };
}

/**
 * Grants the rights that Lambda needs for a function in a VPC. CDK grants them only to roles that it creates itself. EC2's Describe
 * actions do not support resources, so they need `*`.
 */
function grantNetworkInterfaces(role: Role): void {
  const interfaces = Stack.of(role).formatArn({ service: "ec2", resource: "*", resourceName: "*" });
  const act = ["CreateNetworkInterface", "DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"];
  const look = ["DescribeNetworkInterfaces", "DescribeSubnets"];
  for (const [actions, resource] of [[act, interfaces] as const, [look, "*"] as const]) {
    role.addToPolicy(new PolicyStatement({ actions: actions.map((action) => `ec2:${action}`), resources: [resource] }));
  }
}

/** Lets a grantee read one SecureString, and use its key to decrypt that parameter only. */
export function grantParameter(
  grantee: IGrantable,
  scope: Construct,
  sid: string,
  name: string,
  kmsKeyArn: string | undefined,
): void {
  const arn = Stack.of(scope).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: name.replace(/^\//, ""),
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
  const allow = (statement: PolicyStatement) => grantee.grantPrincipal.addToPrincipalPolicy(statement);
  allow(new PolicyStatement({ sid: `Read${sid}`, effect: Effect.ALLOW, actions: ["ssm:GetParameter"], resources: [arn] }));
  // The AWS-managed key lets every principal of the account decrypt through SSM. A customer-managed key does not.
  if (kmsKeyArn === undefined) return;
  allow(
    new PolicyStatement({
      sid: `Decrypt${sid}`,
      effect: Effect.ALLOW,
      actions: ["kms:Decrypt"],
      resources: [kmsKeyArn],
      conditions: { StringEquals: { "kms:EncryptionContext:PARAMETER_ARN": arn } },
    }),
  );
}
