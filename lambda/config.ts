import { ConfigurationError } from "./errors";
import { isJsonObject, tryParseJson } from "./json";
import type { ResolvedOptions } from "./options";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The one variable of each function: its configuration as JSON. Infra writes it, this file reads it. */
export const CONFIG_VARIABLE = "CONFIG";

/** What both functions need. */
export interface SharedConfig extends Pick<ResolvedOptions, "kmsKeyArn" | "logUserId"> {
  /** Of AWS's endpoints in this partition: `amazonaws.com`, `amazonaws.com.cn`, `amazonaws.eu`, … */
  readonly urlSuffix: string;
  readonly queueUrl: string;
  /** Of metrics and alarms, for the commands. undefined = the function was deployed by an earlier release. */
  readonly pipelineName?: string | undefined;
}

type Mapping =
  | "traitPrefix"
  | "traitStyle"
  | "flags"
  | "flagsmithTraits"
  | "segments"
  | "markActive"
  | "experiments"
  | "removeTraits";
type Skipping = "identities" | "anonymousIdentities";

export interface ReceiveConfig extends SharedConfig, Pick<ResolvedOptions, Mapping | Skipping> {
  /** Begins every message id. */
  readonly stackName: string;
  readonly webhookSecretParameter: string;
}

export interface DeliverConfig extends SharedConfig, Pick<ResolvedOptions, "segmentEndpoint" | "dryRun" | "mergeBacklog"> {
  readonly queueArn: string;
  readonly deadLetterQueueUrl: string;
  readonly writeKeyParameter: string;
  /** undefined = every evaluation is forwarded. `refreshHours` as the option. */
  readonly changes?: { readonly table: string; readonly refreshHours: number } | undefined;
}

export type AwsService = "ssm" | "sqs" | "dynamodb";

/** What Lambda tells every function, and where AWS is. */
export interface Aws {
  readonly region: string;
  /** Lambda's are of a role, and so have a session token. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  /** Origin of the API; http for an emulator on loopback. */
  readonly endpointOf: (service: AwsService) => string;
}

/** Texts that each must have: without them, it is not what infra wrote. */
const RECEIVE_TEXTS = ["queueUrl", "urlSuffix", "stackName", "webhookSecretParameter"] as const;
const DELIVER_TEXTS = ["queueUrl", "urlSuffix", "queueArn", "deadLetterQueueUrl", "writeKeyParameter"] as const;

/** Infra writes both from the same types, with options that it checked. @throws ConfigurationError for anything else. */
export const readReceiveConfig = (environment: Environment) => readConfig<ReceiveConfig>(environment, RECEIVE_TEXTS);
export const readDeliverConfig = (environment: Environment) => readConfig<DeliverConfig>(environment, DELIVER_TEXTS);

function readConfig<Config>(environment: Environment, texts: readonly (keyof Config & string)[]): Config {
  const config = tryParseJson(environment[CONFIG_VARIABLE] ?? "");
  if (isJsonObject(config) && texts.every((name) => typeof config[name] === "string")) return config as Config;
  throw new ConfigurationError([`${CONFIG_VARIABLE}: not what the stack writes; deploy it again`]);
}

/** What Lambda sets, and where AWS is. @throws ConfigurationError naming every variable of Lambda's that is missing. */
export function readAws(environment: Environment, { queueUrl, urlSuffix }: SharedConfig): Aws {
  const missing = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].filter((name) => !environment[name]);
  if (missing.length > 0) throw new ConfigurationError(missing.map((name) => `${name}: missing; Lambda sets it`));
  const { AWS_REGION: region = "", AWS_SESSION_TOKEN: sessionToken } = environment;
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = environment;
  return {
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) },
    endpointOf: (service) =>
      // The standard variables that point AWS's SDKs at an emulator come first.
      environment[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ||
      environment.AWS_ENDPOINT_URL ||
      (service === "sqs" ? new URL(queueUrl).origin : `https://${service}.${region}.${urlSuffix}`),
  };
}
