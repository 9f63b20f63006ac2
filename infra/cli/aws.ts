import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SNSClient } from "@aws-sdk/client-sns";
import { SQSClient } from "@aws-sdk/client-sqs";
import { SSMClient } from "@aws-sdk/client-ssm";
import { isJsonObject } from "../../lambda/json";
import { guarded } from "./answer";
import { CommandError, DEFAULT_PORT, SETTINGS_URL, type Terminal, UsageError } from "./command";

/** AWS's official clients, with the operator's credentials, or with those of a running `npm start`. */
export interface Aws {
  readonly region: string;
  readonly cloudFormation: CloudFormationClient;
  readonly cloudWatch: CloudWatchClient;
  readonly lambda: LambdaClient;
  readonly logs: CloudWatchLogsClient;
  readonly sns: SNSClient;
  readonly sqs: SQSClient;
  readonly ssm: SSMClient;
  /**
   * The webhook's URL, with `npm start` only. If it is set, commands skip the checks that need AWS. On AWS, the URL follows from the
   * function's permissions.
   */
  readonly webhookUrl: string | undefined;
  /** Base URL of Segment's settings, which show whether a write key exists. */
  readonly settingsUrl: string;
  readonly pauseMs: number;
}

/** The options that choose between AWS and a running `npm start`. */
export const AWS_OPTIONS = { region: { type: "string" }, local: { type: "boolean" } } as const;

export interface AwsChoice {
  readonly region?: string | undefined;
  readonly local?: boolean | undefined;
}

/** The answer of `npm start` at path `/`. */
export interface LocalPlaces {
  readonly region: string;
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly webhookUrl: string;
  readonly settingsUrl: string;
}

/**
 * @throws CommandError without a region, or with `--local` if `npm start` does not run.
 * @throws UsageError for both `--local` and `--region`, or for an invalid `PORT`.
 */
export async function connect({ region, local }: AwsChoice, { environment }: Terminal): Promise<Aws> {
  // With Node.js 20, the SDK would print a warning of six lines at every start.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  if (local === true && region !== undefined) throw new UsageError("--local or --region, not both");
  if (local === true) {
    const { webhookUrl, settingsUrl, ...config } = await localPlaces(environment.PORT ?? String(DEFAULT_PORT));
    return { ...clients(config), region: config.region, webhookUrl, settingsUrl, pauseMs: 200 };
  }
  // The AWS CLI reads AWS_DEFAULT_REGION, which the SDK ignores.
  const given = region ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION;
  const found = clients(given ? { region: given } : {});
  try {
    const known = await found.lambda.config.region();
    return { ...found, region: known, webhookUrl: undefined, settingsUrl: SETTINGS_URL, pauseMs: 2_000 };
  } catch (cause) {
    throw new CommandError("no region: give --region, or set AWS_REGION", { cause });
  }
}

function clients(config: ConstructorParameters<typeof LambdaClient>[0] & object) {
  return {
    cloudFormation: guarded(new CloudFormationClient(config)),
    cloudWatch: guarded(new CloudWatchClient(config)),
    lambda: guarded(new LambdaClient(config)),
    logs: guarded(new CloudWatchLogsClient(config)),
    sns: guarded(new SNSClient(config)),
    sqs: guarded(new SQSClient({ ...config, useQueueUrlAsEndpoint: false })),
    ssm: guarded(new SSMClient(config)),
  };
}

async function localPlaces(port: string): Promise<LocalPlaces> {
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) {
    throw new UsageError(`PORT: allowed is the port that npm start printed; got ${JSON.stringify(port)}`);
  }
  const url = `http://127.0.0.1:${port}/`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(15_000) });
    const places: unknown = await response.json();
    if (isLocalPlaces(places)) return places;
  } catch (cause) {
    throw new CommandError(`no answer at ${url}: is npm start running? Set PORT if it is at another port.`, { cause });
  }
  throw new CommandError(`something else than npm start answers at ${url}: set PORT to its port`);
}

/** One field is enough for the check, because `npm start` and the commands are from the same release. */
function isLocalPlaces(input: unknown): input is LocalPlaces {
  return isJsonObject(input) && typeof input.endpoint === "string";
}
