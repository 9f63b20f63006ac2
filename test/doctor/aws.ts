import { CloudFormationClient, DescribeStackResourcesCommand, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient, paginateFilterLogEvents } from "@aws-sdk/client-cloudwatch-logs";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { tryParseJson } from "../../lambda/json";
import type { LogLine } from "../support/capture";
import type { Patient } from "./patient";

/** Milliseconds the clocks of this machine and of CloudWatch may differ. */
const CLOCK_SKEW = 10 * 60_000;

/** A deployed stack, seen with the operator's own credentials and region. */
export function awsPatient(stackName: string): Patient {
  // The AWS CLI's variable is another than the SDK's.
  const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  const client = region === undefined ? {} : { region };
  const cloudFormation = new CloudFormationClient(client);
  const ssm = new SSMClient(client);
  const logs = new CloudWatchLogsClient(client);
  const startTime = Date.now() - CLOCK_SKEW;
  const logGroups = once(async () => {
    const answer = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName: stackName }));
    return (answer.StackResources ?? [])
      .filter(
        ({ ResourceType: type, LogicalResourceId: id }) => type === "AWS::Logs::LogGroup" && /Receive|Deliver/.test(id ?? ""),
      )
      .map(({ PhysicalResourceId: name }) => name ?? "");
  });
  return {
    stackName,
    settingsUrl: "https://cdn.segment.com",
    patience: 15_000,
    pause: () => new Promise((resolve) => setTimeout(resolve, 2_000)),
    outputs: async () => {
      const answer = await absentAs("ValidationError", () =>
        cloudFormation.send(new DescribeStacksCommand({ StackName: stackName })),
      );
      const outputs = answer?.Stacks?.[0]?.Outputs;
      return outputs && Object.fromEntries(outputs.map(({ OutputKey: key, OutputValue: value }) => [key ?? "", value ?? ""]));
    },
    parameter: async (name) => {
      const answer = await absentAs("ParameterNotFound", () =>
        ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true })),
      );
      return answer?.Parameter && { type: answer.Parameter.Type ?? "", value: answer.Parameter.Value ?? "" };
    },
    lines: async (messageId) => {
      const filterPattern = `{ $.messageId = "${messageId}" }`;
      const groups = (await logGroups()).map(async (logGroupName) => {
        const lines: LogLine[] = [];
        // A page may be empty and still not the last.
        for await (const { events = [] } of paginateFilterLogEvents(
          { client: logs },
          { logGroupName, filterPattern, startTime },
        )) {
          for (const { message = "" } of events) lines.push(Object(tryParseJson(message)));
        }
        return lines;
      });
      return (await Promise.all(groups)).flat();
    },
  };
}

function once<Result>(act: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= act();
    return result;
  };
}

/** Undefined for the error that says there is none. */
async function absentAs<Result>(name: string, act: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Error && error.name === name) return undefined;
    throw error;
  }
}
