import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import type { Patient } from "./checks";

/** A deployed stack, seen with the operator's own credentials and region. */
export function awsPatient(stackName: string): Patient {
  const cloudFormation = new CloudFormationClient({});
  const ssm = new SSMClient({});
  const logs = new CloudWatchLogsClient({});
  const startTime = Date.now();
  const logGroups = once(async () => {
    const answer = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName: stackName }));
    return (answer.StackResources ?? [])
      .filter(
        ({ ResourceType: type, LogicalResourceId: id }) =>
          type === "AWS::Logs::LogGroup" && /Receive|Deliver/.test(id ?? ""),
      )
      .map(({ PhysicalResourceId: name }) => name ?? "");
  });
  return {
    stackName,
    settingsUrl: "https://cdn.segment.com",
    pause: () => new Promise((resolve) => setTimeout(resolve, 2_000)),
    outputs: async () => {
      const answer = await absentAs("ValidationError", () =>
        cloudFormation.send(new DescribeStacksCommand({ StackName: stackName })),
      );
      const outputs = answer?.Stacks?.[0]?.Outputs;
      return (
        outputs &&
        Object.fromEntries(outputs.map(({ OutputKey: key, OutputValue: value }) => [key ?? "", value ?? ""]))
      );
    },
    parameter: async (name) => {
      const answer = await absentAs("ParameterNotFound", () =>
        ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true })),
      );
      return answer?.Parameter && { type: answer.Parameter.Type ?? "", value: answer.Parameter.Value ?? "" };
    },
    lines: async (messageId) => {
      const filterPattern = `{ $.messageId = "${messageId}" }`;
      const pages = (await logGroups()).map((logGroupName) =>
        logs.send(new FilterLogEventsCommand({ logGroupName, filterPattern, startTime })),
      );
      const events = (await Promise.all(pages)).flatMap(({ events: found }) => found ?? []);
      return events.map(({ message }) => JSON.parse(message ?? "{}"));
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
