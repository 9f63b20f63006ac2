import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import cdkJson from "../../cdk.json";
import { addStacks } from "../../infra/stack";
import type { Options } from "../../lambda/options";

type Properties = Readonly<Record<string, unknown>>;

/** What `cdk deploy` would make, read from the synthesized template, so that nothing is written twice. */
export interface Deployment {
  readonly stackName: string;
  readonly queues: readonly { readonly logicalId: string; readonly properties: Properties }[];
  readonly tables: readonly { readonly logicalId: string; readonly properties: Properties }[];
  readonly receive: FunctionDeployment;
  readonly deliver: FunctionDeployment;
  readonly eventSource: {
    /** Logical id. */
    readonly queue: string;
    readonly batchSize: number;
    readonly maxConcurrency: number;
    /** False where option `paused` is on. */
    readonly enabled: boolean;
  };
}

export interface FunctionDeployment {
  /** Milliseconds. */
  readonly timeout: number;
  /** Values may be references. */
  readonly environment: Properties;
}

/** The options of the first environment in `cdk.json`. */
export function cdkJsonEnvironment(): readonly [name: string, options: unknown] {
  const [first] = Object.entries(Object(cdkJson.context).environments ?? {});
  return first ?? ["production", {}];
}

/** Without a receiver of alarms, synth warns. */
const NOBODY = "nobody@example.com";

const synthesized = new Map<string, Deployment>();

/** Synthesizes the stack of one environment, once. */
export function synthesize(environmentName: string, options: unknown, overrides: Options = {}): Deployment {
  const key = JSON.stringify([environmentName, options, overrides]);
  const deployment = synthesized.get(key) ?? synthesizeNew(environmentName, options, overrides);
  synthesized.set(key, deployment);
  return deployment;
}

function synthesizeNew(environmentName: string, options: unknown, overrides: Options): Deployment {
  const environments = { [environmentName]: { alarmEmail: NOBODY, ...Object(options), ...overrides } };
  const app = new App({ context: { ...cdkJson.context, "@aws-cdk/core:validateAgainstDefaultRules": false, environments } });
  const [stack] = addStacks(app);
  if (stack === undefined) throw new Error("no stack was synthesized");
  const template = Template.fromStack(stack);
  const ofType = (type: string) =>
    Object.entries(template.findResources(type)).map(([logicalId, { Properties }]) => ({
      logicalId,
      properties: Object(Properties),
    }));
  const functionOf = (name: string): FunctionDeployment => {
    const found = ofType("AWS::Lambda::Function").find(({ logicalId }) => logicalId.startsWith(`FlagsmithToSegment${name}`));
    const { Timeout: timeout, Environment: environment } = Object(found?.properties);
    return { timeout: 1_000 * timeout, environment: environment.Variables };
  };
  const [mapping] = ofType("AWS::Lambda::EventSourceMapping");
  const {
    EventSourceArn: source,
    BatchSize: batchSize,
    ScalingConfig: scaling,
    Enabled: enabled = true,
  } = mapping?.properties ?? {};
  return {
    stackName: stack.stackName,
    queues: ofType("AWS::SQS::Queue"),
    tables: ofType("AWS::DynamoDB::Table"),
    receive: functionOf("Receive"),
    deliver: functionOf("Deliver"),
    eventSource: { queue: source["Fn::GetAtt"][0], batchSize, maxConcurrency: scaling.MaximumConcurrency, enabled },
  };
}
