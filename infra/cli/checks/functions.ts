import {
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  ListEventSourceMappingsCommand,
} from "@aws-sdk/client-lambda";
import { GetServiceSettingCommand } from "@aws-sdk/client-ssm";
import type { Aws } from "../aws";
import type { Pipeline } from "../pipeline";
import { type Check, verdict } from "./finding";

/** Concurrent executions that receive needs in a burst of 100 webhooks per second, at some 60 ms each, cold starts included. */
const ROOM_FOR_RECEIVE = 10;

/** Of an event source. */
const MIN_CONCURRENCY = 2;

/** What Lambda and Parameter Store let the functions do. */
export function functionChecks(aws: Aws, { receive, deliver }: Pipeline): readonly Check[] {
  const mapping = async () => {
    const answer = await aws.lambda.send(new ListEventSourceMappingsCommand({ FunctionName: deliver.name }));
    return answer.EventSourceMappings?.[0];
  };
  return [
    {
      name: "event source",
      needs: "your credentials need lambda:ListEventSourceMappings",
      look: async () => {
        const { State: state = "missing", LastProcessingResult: result = "" } = (await mapping()) ?? {};
        const fix = "nothing is delivered: remove option paused, and deploy";
        const detail = `is ${state}${result === "" ? "" : `, last result: ${result}`}`;
        return verdict(/^(Enabl|Updating|Creating)/.test(state) ? "ok" : "failed", detail, fix);
      },
    },
    {
      name: "concurrency",
      needs: "your credentials need lambda:GetAccountSettings, GetFunctionConcurrency and ListEventSourceMappings",
      look: async () => {
        const { AccountLimit: limit } = await aws.lambda.send(new GetAccountSettingsCommand({}));
        const { ScalingConfig: scaling } = (await mapping()) ?? {};
        const { UnreservedConcurrentExecutions: free = 0, ConcurrentExecutions: all = free } = limit ?? {};
        const most = scaling?.MaximumConcurrency ?? all;
        const answer = await aws.lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: receive.name }));
        const { ReservedConcurrentExecutions: kept } = answer;
        const unreserved = `the account runs ${all} functions at once, ${free} of them unreserved; deliver uses up to ${most}`;
        const detail = kept === undefined ? unreserved : `${unreserved}; ${kept} are kept for receive, which gets no more`;
        const lower = most > MIN_CONCURRENCY ? ", or lower maxConcurrency" : "";
        const more = kept === undefined ? `Lambda's quota Concurrent executions${lower}` : "option reservedConcurrency";
        const enough = (kept ?? free - most) >= ROOM_FOR_RECEIVE;
        return verdict(enough ? "ok" : "warning", detail, `receive may be throttled: raise ${more}`);
      },
    },
    {
      name: "SSM throughput",
      needs: "your credentials need ssm:GetServiceSetting",
      look: async () => {
        const SettingId = "/ssm/parameter-store/high-throughput-enabled";
        const { ServiceSetting: setting } = await aws.ssm.send(new GetServiceSettingCommand({ SettingId }));
        const high = setting?.SettingValue === "true";
        const detail = high ? "high: 10,000 reads per second" : "standard: 40 reads per second, one per container that starts";
        return verdict("ok", detail);
      },
    },
  ];
}
