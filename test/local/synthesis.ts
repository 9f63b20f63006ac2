import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import cdkJson from "../../cdk.json";
import { addStacks } from "../../infra/stack";
import { isJsonObject } from "../../lambda/json";
import type { Deployment, FunctionDeployment } from "./deployment";

/** The synth prints a warning if alarms have no receiver. */
const NOBODY = "nobody@example.com";

/** Synthesizes the stack of one environment. @throws ConfigurationError as `cdk synth` */
export function synthesizeDeployment(environmentName: string, options: unknown): Deployment {
  const environments = { [environmentName]: isJsonObject(options) ? { alarmEmail: NOBODY, ...options } : options };
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
    alarms: ofType("AWS::CloudWatch::Alarm").map(({ properties }) => properties.AlarmName),
    receivers: ofType("AWS::SNS::Subscription").map(({ properties }) => properties.Endpoint),
    receive: functionOf("Receive"),
    deliver: functionOf("Deliver"),
    eventSource: { queue: source["Fn::GetAtt"][0], batchSize, maxConcurrency: scaling.MaximumConcurrency, enabled },
  };
}
