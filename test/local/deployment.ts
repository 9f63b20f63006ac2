import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import cdkJson from "../../cdk.json";
import { addStacks } from "../../infra/stack";
import type { Options } from "../../lambda/contract";

type Properties = Readonly<Record<string, unknown>>;

interface Resource {
  readonly Type: string;
  readonly Properties: Properties;
}

/** What `cdk deploy` would make, read from the synthesized template, so that nothing is written twice. */
export interface Deployment {
  readonly stackName: string;
  readonly queues: readonly QueueDeployment[];
  readonly functions: readonly FunctionDeployment[];
  /** As DynamoDB's CreateTable takes them. */
  readonly tables: readonly { readonly logicalId: string; readonly properties: Properties }[];
  readonly eventSource: {
    readonly queue: string;
    readonly batchSize: number;
    readonly maxConcurrency: number;
  };
}

export interface QueueDeployment {
  readonly logicalId: string;
  /** As SQS takes them: CloudFormation's properties have the same names. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly deadLetterQueue: string | undefined;
}

export interface FunctionDeployment {
  readonly description: string;
  readonly timeout: number;
  readonly environment: Properties;
}

/** The options of the first environment in `cdk.json`. */
export function cdkJsonEnvironment(): readonly [name: string, options: unknown] {
  const [first] = Object.entries(Object(cdkJson.context).environments ?? {});
  return first ?? ["production", {}];
}

/** Synthesizes the stack of one environment; bundling is left out, the local cloud runs the sources. */
export function synthesize(environmentName: string, options: unknown, overrides: Options = {}): Deployment {
  const environments = { [environmentName]: { ...Object(options), ...overrides } };
  const app = new App({ context: { ...cdkJson.context, environments, "aws:cdk:bundling-stacks": [] } });
  const [stack] = addStacks(app);
  if (stack === undefined) throw new Error("no stack was synthesized");
  const resources: Readonly<Record<string, Resource>> = Template.fromStack(stack).toJSON().Resources;
  const ofType = (type: string) => Object.entries(resources).filter(([, resource]) => resource.Type === type);
  const [mapping] = ofType("AWS::Lambda::EventSourceMapping");
  return {
    stackName: stack.stackName,
    queues: ofType("AWS::SQS::Queue").map(([logicalId, { Properties: properties }]) =>
      toQueue(logicalId, properties),
    ),
    functions: ofType("AWS::Lambda::Function").map(([, { Properties: properties }]) =>
      toFunction(properties),
    ),
    tables: ofType("AWS::DynamoDB::Table").map(([logicalId, { Properties: properties }]) => ({
      logicalId,
      properties,
    })),
    eventSource: toEventSource(mapping?.[1].Properties ?? {}),
  };
}

/** `{ Ref }` and `{ "Fn::GetAtt" }` name the resource that a value comes from. */
export function referenceOf(value: unknown): string | undefined {
  const { Ref: ref, "Fn::GetAtt": attribute } = Object(value);
  return ref ?? attribute?.[0];
}

function toQueue(logicalId: string, properties: Properties): QueueDeployment {
  const { RedrivePolicy: redrive, Tags: _, ...attributes } = properties;
  return {
    logicalId,
    attributes: {
      ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)])),
      ...(redrive === undefined ? {} : { maxReceiveCount: String(Object(redrive).maxReceiveCount) }),
    },
    deadLetterQueue: referenceOf(Object(redrive).deadLetterTargetArn),
  };
}

function toFunction(properties: Properties): FunctionDeployment {
  return {
    description: String(properties.Description),
    timeout: Number(properties.Timeout) * 1_000,
    environment: Object(properties.Environment).Variables,
  };
}

function toEventSource(properties: Properties): Deployment["eventSource"] {
  return {
    queue: referenceOf(properties.EventSourceArn) ?? "",
    batchSize: Number(properties.BatchSize),
    maxConcurrency: Number(Object(properties.ScalingConfig).MaximumConcurrency),
  };
}
