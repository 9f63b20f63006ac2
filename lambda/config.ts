import { ConfigurationError } from "./errors";
import { isJsonObject, tryParseJson } from "./json";
import type { ResolvedOptions } from "./options";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The only environment variable of each function. It holds the configuration as JSON. Infra writes it, and this file reads it. */
export const CONFIG_VARIABLE = "CONFIG";

/** Configuration of both functions. */
export interface SharedConfig extends Pick<ResolvedOptions, "kmsKeyArn" | "logUserId"> {
  /** Suffix of AWS's endpoints in this partition: `amazonaws.com`, `amazonaws.com.cn`, `amazonaws.eu`, … */
  readonly urlSuffix: string;
  readonly queueUrl: string;
  /** Name in metrics and alarms, for the commands. undefined = the function was deployed by an earlier release. */
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
  /** Prefix of every message id. */
  readonly stackName: string;
  readonly webhookSecretParameter: string;
}

export interface DeliverConfig extends SharedConfig, Pick<ResolvedOptions, "segmentEndpoint" | "dryRun" | "mergeBacklog"> {
  readonly queueArn: string;
  readonly deadLetterQueueUrl: string;
  readonly writeKeyParameter: string;
  /** undefined = every evaluation is forwarded. `refreshHours` is the option. */
  readonly changes?: { readonly table: string; readonly refreshHours: number } | undefined;
}

export type AwsService = "ssm" | "sqs" | "dynamodb";

/** What Lambda sets for every function, and the endpoints of AWS. */
export interface Aws {
  readonly region: string;
  /** Lambda's credentials belong to a role, so they have a session token. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  /** Origin of the API. It is http for an emulator on loopback. */
  readonly endpointOf: (service: AwsService) => string;
}

/** Required string fields. If one is missing, infra did not write this configuration. */
const RECEIVE_TEXTS = ["queueUrl", "urlSuffix", "stackName", "webhookSecretParameter"] as const;
const DELIVER_TEXTS = ["queueUrl", "urlSuffix", "queueArn", "deadLetterQueueUrl", "writeKeyParameter"] as const;

/** Infra checks the options and writes both configurations from the same types. @throws ConfigurationError for anything else. */
export const readReceiveConfig = (environment: Environment) => readConfig<ReceiveConfig>(environment, RECEIVE_TEXTS);
export const readDeliverConfig = (environment: Environment) => readConfig<DeliverConfig>(environment, DELIVER_TEXTS);

function readConfig<Config>(environment: Environment, texts: readonly (keyof Config & string)[]): Config {
  const config = tryParseJson(environment[CONFIG_VARIABLE] ?? "");
  if (isJsonObject(config) && texts.every((name) => typeof config[name] === "string")) return config as Config;
  throw new ConfigurationError([`${CONFIG_VARIABLE}: not what the stack writes; deploy it again`]);
}

/** Reads what Lambda sets. @throws ConfigurationError that names every missing variable. */
export function readAws(environment: Environment, { queueUrl, urlSuffix }: SharedConfig): Aws {
  const missing = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].filter((name) => !environment[name]);
  if (missing.length > 0) throw new ConfigurationError(missing.map((name) => `${name}: missing; Lambda sets it`));
  const { AWS_REGION: region = "", AWS_SESSION_TOKEN: sessionToken } = environment;
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = environment;
  return {
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) },
    endpointOf: (service) =>
      // The standard variables that point AWS's SDKs at an emulator have priority.
      environment[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ||
      environment.AWS_ENDPOINT_URL ||
      (service === "sqs" ? new URL(queueUrl).origin : `https://${service}.${region}.${urlSuffix}`),
  };
}
