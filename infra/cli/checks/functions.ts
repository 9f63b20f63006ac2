import {
  type EventSourceMappingConfiguration,
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  ListEventSourceMappingsCommand,
} from "@aws-sdk/client-lambda";
import { required } from "../answer";
import type { Aws } from "../aws";
import type { Pipeline } from "../pipeline";
import { type Check, type Verdict, verdict } from "./finding";

/** Concurrent executions that receive needs for 100 webhooks per second, at about 60 ms each, including cold starts. */
export const ROOM_FOR_RECEIVE = 10;

/** The lowest concurrency that Lambda allows for an event source. */
const MIN_CONCURRENCY = 2;

export function eventSourceCheck(aws: Aws, { deliver }: Pipeline): Check {
  return {
    name: "event source",
    needs: "lambda:ListEventSourceMappings",
    look: async () => judgeMapping(await mappingOf(aws, deliver.name), aws.region),
  };
}

/** undefined = there is none. */
async function mappingOf({ lambda }: Aws, FunctionName: string): Promise<EventSourceMappingConfiguration | undefined> {
  const answer = await lambda.send(new ListEventSourceMappingsCommand({ FunctionName }));
  return required(answer.EventSourceMappings, "EventSourceMappings")[0];
}

function judgeMapping(mapping: EventSourceMappingConfiguration | undefined, region: string): Verdict {
  if (mapping === undefined) {
    const fix = "detect the stack's drift in CloudFormation; an update does not create it again";
    return verdict("failed", "does not exist: nothing is delivered", fix);
  }
  const { State: state = "without a state", LastProcessingResult: result = "", UUID: id } = mapping;
  const detail = `is ${state}${result === "" ? "" : `, last result: ${result}`}`;
  if (/^Disabl/.test(state)) {
    const enable = `aws lambda update-event-source-mapping --region ${region} --uuid ${id} --enabled`;
    return verdict(
      "failed",
      detail,
      `nothing is delivered: remove option paused, and deploy; or until the next deploy: ${enable}`,
    );
  }
  if (!/^(Enabl|Updating|Creating)/.test(state)) return verdict("failed", detail);
  return /^PROBLEM/.test(result) ? verdict("warning", detail, "infra/RUNBOOK.md, Nothing delivered") : verdict("ok", detail);
}

export function concurrencyCheck(aws: Aws, { receive, deliver }: Pipeline): Check {
  return {
    name: "concurrency",
    needs: "lambda:GetAccountSettings, GetFunctionConcurrency and ListEventSourceMappings",
    look: async () => {
      const { AccountLimit } = await aws.lambda.send(new GetAccountSettingsCommand({}));
      const limit = required(AccountLimit, "AccountLimit");
      const all = required(limit.ConcurrentExecutions, "ConcurrentExecutions");
      const free = required(limit.UnreservedConcurrentExecutions, "UnreservedConcurrentExecutions");
      const most = (await mappingOf(aws, deliver.name))?.ScalingConfig?.MaximumConcurrency ?? all;
      const answer = await aws.lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: receive.name }));
      const { ReservedConcurrentExecutions: kept } = answer;
      const unreserved = `the account runs up to ${all} functions in parallel, ${free} of them unreserved; deliver uses up to ${most}`;
      const detail = kept === undefined ? unreserved : `${unreserved}; ${kept} are kept for receive, which gets no more`;
      const lower = most > MIN_CONCURRENCY ? ", or lower maxConcurrency" : "";
      const more = kept === undefined ? `Lambda's quota Concurrent executions${lower}` : "option reservedConcurrency";
      const enough = (kept ?? free - most) >= ROOM_FOR_RECEIVE;
      return verdict(enough ? "ok" : "warning", detail, `receive may be throttled: raise ${more}`);
    },
  };
}
