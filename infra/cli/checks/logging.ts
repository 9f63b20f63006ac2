import { DescribeMetricFiltersCommand } from "@aws-sdk/client-cloudwatch-logs";
import { type FunctionConfiguration, GetFunctionConfigurationCommand } from "@aws-sdk/client-lambda";
import type { FunctionName } from "../../../lambda/names";
import type { MetricName } from "../../monitoring/metrics";
import { required } from "../answer";
import type { Aws } from "../aws";
import { ofAlias, type Pipeline } from "../pipeline";
import { type Check, type Finding, UNNAMED, verdict } from "./finding";

/** At these levels Lambda drops entries of level INFO, which alarms and queries need. */
const HIDING_LEVELS: readonly unknown[] = ["WARN", "ERROR", "FATAL"];

/** Powertools or Lambda read these variables. This product ignores them. */
const NO_EFFECT = /^(POWERTOOLS_|AWS_LAMBDA_LOG_(LEVEL|FORMAT)$|LOG_LEVEL$)/;

/** For each log, a metric that has a filter only on that log. */
const METRIC_OF: Readonly<Record<FunctionName | "access", MetricName>> = {
  receive: "Invalid",
  deliver: "DeadLettered",
  access: "RefusedByApiGateway",
};

/** The log group that the pipeline's metric filter reads. undefined = there is no such filter. */
async function countedLogGroup({ logs }: Aws, name: string, source: keyof typeof METRIC_OF): Promise<string | undefined> {
  const { metricFilters } = await logs.send(
    new DescribeMetricFiltersCommand({ metricNamespace: name, metricName: METRIC_OF[source] }),
  );
  return required(metricFilters, "metricFilters")[0]?.logGroupName;
}

export function accessLogCheck(aws: Aws, { name }: Pipeline): Check {
  return {
    name: "log group of API Gateway",
    needs: "logs:DescribeMetricFilters",
    look: async () => {
      if (name === undefined) return verdict("skip", UNNAMED);
      const found = await countedLogGroup(aws, name, "access");
      return found === undefined
        ? verdict(
            "warning",
            `no metric filter counts ${METRIC_OF.access} of ${name}`,
            "detect the stack's drift in CloudFormation",
          )
        : verdict("info", found);
    },
  };
}

/** Checks whether the alarms see what a function logs. */
export function loggingChecks(aws: Aws, pipeline: Pipeline): readonly Check[] {
  return (["receive", "deliver"] as const).flatMap((one) => [
    settingsCheck(aws, pipeline, one),
    groupCheck(aws, pipeline, one),
  ]);
}

function settingsCheck({ lambda }: Aws, pipeline: Pipeline, one: FunctionName): Check {
  const FunctionName = pipeline[one].name;
  const ask = (qualifier: object) => lambda.send(new GetFunctionConfigurationCommand({ FunctionName, ...qualifier }));
  return {
    name: `log of ${one}`,
    needs: "lambda:GetFunctionConfiguration",
    look: async () => {
      const configuration = await (one === "receive" ? ofAlias(ask) : ask({}));
      required(configuration.FunctionName, "FunctionName");
      return judgeSettings(`log of ${one}`, configuration);
    },
  };
}

function judgeSettings(check: string, { LoggingConfig, Environment }: FunctionConfiguration): readonly Finding[] {
  const findings: Finding[] = [];
  const { ApplicationLogLevel: level } = LoggingConfig ?? {};
  if (HIDING_LEVELS.includes(level)) {
    const detail = `Lambda's log level ${level} drops entries that alarms count`;
    const fix = "remove ApplicationLogLevel where it is set, often an aspect of the CDK app, and deploy";
    findings.push({ check, ...verdict("warning", detail, fix) });
  }
  const without = Object.keys(Environment?.Variables ?? {}).filter((variable) => NO_EFFECT.test(variable));
  if (without.length > 0) {
    const fix = "remove them where they are set, often an aspect of the CDK app";
    findings.push({ check, ...verdict("warning", `${without.join(", ")}: no effect on what this release logs`, fix) });
  }
  if (findings.length > 0) return findings;
  return [{ check, ...verdict("ok", "no setting hides entries") }];
}

function groupCheck(aws: Aws, { name, ...functions }: Pipeline, one: FunctionName): Check {
  return {
    name: `metric filters of ${one}`,
    needs: "logs:DescribeMetricFilters",
    look: async () => {
      const { logGroup } = functions[one];
      if (name === undefined) return verdict("skip", UNNAMED);
      const counted = await countedLogGroup(aws, name, one);
      if (counted === logGroup) return verdict("ok", `count in ${logGroup}`);
      if (counted === undefined) {
        const detail = `no metric filter counts ${METRIC_OF[one]} of ${name}, so alarms see nothing of it`;
        return verdict("warning", detail, "detect the stack's drift in CloudFormation");
      }
      const detail = `count in ${counted}, and ${one} logs to ${logGroup}: alarms see nothing of it`;
      return verdict("warning", detail, "remove what sets another log group, often an aspect of the CDK app, and deploy");
    },
  };
}
