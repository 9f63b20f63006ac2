import { DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { type FunctionConfiguration, GetPolicyCommand, paginateListFunctions } from "@aws-sdk/client-lambda";
import {
  CONFIG_VARIABLE,
  type DeliverConfig,
  type ReceiveConfig,
  readDeliverConfig,
  readReceiveConfig,
} from "../../lambda/config";
import { ConfigurationError } from "../../lambda/errors";
import { required } from "./answer";
import type { Aws } from "./aws";
import { CommandError } from "./command";

export interface DeployedFunction<Config> {
  readonly name: string;
  readonly logGroup: string;
  readonly config: Config;
}

/** A deployed pipeline. It may be part of any stack. */
export interface Pipeline {
  readonly stackName: string;
  /** What its metrics and alarms begin with. undefined = an earlier release deployed it, which does not say. */
  readonly name: string | undefined;
  /** Name of the Flagsmith environment. */
  readonly environment: string;
  readonly receive: DeployedFunction<ReceiveConfig>;
  readonly deliver: DeployedFunction<DeliverConfig>;
}

/** No such pipeline is deployed. */
export class NoPipelineError extends CommandError {}

/** The options that say which pipeline. */
export const PIPELINE_OPTIONS = { stack: { type: "string" }, environment: { type: "string" } } as const;

export interface PipelineChoice {
  readonly stack?: string | undefined;
  readonly environment?: string | undefined;
}

/**
 * The one pipeline that fits, found by what its functions are configured with.
 * @throws NoPipelineError if there is none. @throws CommandError if there is more than one.
 */
export async function findPipeline(aws: Aws, { stack, environment }: PipelineChoice): Promise<Pipeline> {
  const all = await pipelinesOf(aws);
  const fitting = all.filter(
    (one) => (stack ?? one.stackName) === one.stackName && (environment ?? one.environment) === one.environment,
  );
  const [found, ...others] = fitting;
  if (found !== undefined && others.length === 0) return found;
  if (found !== undefined) throw new CommandError(`several pipelines fit; choose one by its options:\n${listOf(fitting)}`);
  if (all.length > 0) throw new NoPipelineError(`no such pipeline in ${aws.region}; there are\n${listOf(all)}`);
  if (stack !== undefined) throw new NoPipelineError(await whyNone(aws, stack));
  const where = "is it deployed, and are region and account the right ones?";
  throw new NoPipelineError(`no pipeline in ${aws.region} with these credentials: ${where}`);
}

function listOf(pipelines: readonly Pipeline[]): string {
  return pipelines.map(({ stackName, environment }) => `  --stack ${stackName} --environment ${environment}`).join("\n");
}

async function pipelinesOf({ lambda }: Aws): Promise<readonly Pipeline[]> {
  const receives: DeployedFunction<ReceiveConfig>[] = [];
  const delivers: DeployedFunction<DeliverConfig>[] = [];
  for await (const { Functions: functions } of paginateListFunctions({ client: lambda }, {})) {
    for (const one of required(functions, "Functions")) {
      receives.push(...deployed(one, readReceiveConfig));
      delivers.push(...deployed(one, readDeliverConfig));
    }
  }
  return receives.flatMap((receive) => {
    const { queueUrl, stackName, pipelineName: name, webhookSecretParameter } = receive.config;
    const deliver = delivers.find(({ config }) => config.queueUrl === queueUrl);
    const environment = webhookSecretParameter.split("/").at(-2) ?? "";
    return deliver === undefined ? [] : [{ stackName, name, environment, receive, deliver }];
  });
}

/** undefined for any other function. */
function deployed<Config>(
  { FunctionName: name = "", LoggingConfig, Environment }: FunctionConfiguration,
  read: (environment: Readonly<Record<string, string>>) => Config,
): readonly DeployedFunction<Config>[] {
  const { [CONFIG_VARIABLE]: config = "" } = Environment?.Variables ?? {};
  try {
    const logGroup = LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`;
    return [{ name, logGroup, config: read({ [CONFIG_VARIABLE]: config }) }];
  } catch (error) {
    if (error instanceof ConfigurationError) return [];
    throw error;
  }
}

async function whyNone({ cloudFormation, region }: Aws, stack: string): Promise<string> {
  try {
    const { Stacks: [found] = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stack }));
    const status = found?.StackStatus ?? "";
    return `stack ${stack} is ${status} and has no pipeline: ${adviceFor(status)}`;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "ValidationError") throw error;
    return `no stack ${stack} in ${region} in this account: npx cdk deploy ${stack}`;
  }
}

/** A first deploy that failed leaves a stack without resources, which must be deleted before the next. Any other stack may be another team's. */
function adviceFor(status: string): string {
  if (/^ROLLBACK_(COMPLETE|FAILED)$/.test(status)) return "see its events in CloudFormation, delete it, and deploy again";
  return status.endsWith("_IN_PROGRESS") ? "wait until that is done" : "is it the right stack?";
}

/** API Gateway calls receive through this alias. */
export const ALIAS = "live";

/** Reads the policy of the alias, or of the function if it has no alias: releases before 3.0.0 have none. */
export async function ofAlias<Answer>(ask: (qualifier: { readonly Qualifier?: string }) => Promise<Answer>): Promise<Answer> {
  try {
    return await ask({ Qualifier: ALIAS });
  } catch (error) {
    if (error instanceof Error && error.name === "ResourceNotFoundException") return ask({});
    throw error;
  }
}

/** API Gateway may invoke receive for its webhook: the permission names the API. */
export async function webhookUrlOf({ lambda, region, webhookUrl }: Aws, { receive }: Pipeline): Promise<string> {
  if (webhookUrl !== undefined) return webhookUrl;
  const FunctionName = receive.name;
  const answer = await ofAlias((qualifier) => lambda.send(new GetPolicyCommand({ FunctionName, ...qualifier })));
  const policy = required(answer.Policy, "Policy");
  const [, api] = /:execute-api:[^:]+:\d+:(\w+)\//.exec(policy) ?? [];
  if (api === undefined) throw new CommandError(`${receive.name}: its policy lets no API Gateway invoke it`);
  return `https://${api}.execute-api.${region}.${receive.config.urlSuffix}/webhook`;
}
