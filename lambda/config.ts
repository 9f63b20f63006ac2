import { ENV, type FunctionName, fromEnvironment, type ResolvedOptions, resolveOptions } from "./contract";
import { ConfigurationError } from "./domain/errors";
import type { IdentifyOptions } from "./domain/identify";
import { compileSelection } from "./domain/selection";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What Lambda tells every function, and the SDK-standard overrides that point a function at an emulator. */
export interface AwsConfig {
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  readonly ssmEndpoint: string;
  readonly sqsEndpoint: string;
  readonly dynamodbEndpoint: string;
}

export interface ReceiveConfig {
  readonly aws: AwsConfig;
  readonly stackName: string;
  readonly webhookSecretParameter: string;
  readonly queueUrl: string;
  readonly identify: IdentifyOptions;
  readonly reading: { readonly traits: boolean; readonly segments: boolean };
  readonly kmsKeyArn: ResolvedOptions["kmsKeyArn"];
  readonly logUserId: ResolvedOptions["logUserId"];
  readonly logSampling: number;
}

export interface DeliverConfig {
  readonly aws: AwsConfig;
  readonly writeKeyParameter: string;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly segmentEndpoint: string;
  readonly dryRun: boolean;
  /** undefined = every evaluation is forwarded. */
  readonly changes: { readonly table: string; readonly refresh: number } | undefined;
  readonly kmsKeyArn: ResolvedOptions["kmsKeyArn"];
  readonly logUserId: ResolvedOptions["logUserId"];
  readonly logSampling: number;
}

/** @throws ConfigurationError naming every variable that is missing or wrong. */
export function receiveConfig(environment: Environment): ReceiveConfig {
  return new Reader(environment).finish((reader) => {
    const options = reader.options("receive");
    const { flagsmithTraits } = options;
    return {
      aws: reader.aws(ENV.queueUrl),
      stackName: reader.text(ENV.stackName),
      webhookSecretParameter: reader.text(ENV.webhookSecretParameter),
      queueUrl: reader.text(ENV.queueUrl),
      identify: {
        traitPrefix: options.traitPrefix,
        traitStyle: options.traitStyle,
        selectsFlag: compileSelection(options.flags),
        selectsTrait: selectsTrait(flagsmithTraits),
        segments: options.segments,
        anonymousIdentities: options.anonymousIdentities,
        markActive: options.markActive,
      },
      reading: { traits: flagsmithTraits !== false, segments: options.segments },
      kmsKeyArn: options.kmsKeyArn,
      logUserId: options.logUserId,
      logSampling: options.logSampling,
    };
  });
}

/** @throws ConfigurationError naming every variable that is missing or wrong. */
export function deliverConfig(environment: Environment): DeliverConfig {
  return new Reader(environment).finish((reader) => {
    const { segmentEndpoint, dryRun, forward, refreshHours, kmsKeyArn, logUserId, logSampling } =
      reader.options("deliver");
    return {
      aws: reader.aws(ENV.deadLetterQueueUrl),
      writeKeyParameter: reader.text(ENV.writeKeyParameter),
      queueUrl: reader.text(ENV.queueUrl),
      deadLetterQueueUrl: reader.text(ENV.deadLetterQueueUrl),
      segmentEndpoint,
      dryRun,
      changes:
        forward === "changes"
          ? { table: reader.text(ENV.deliveredTable), refresh: refreshHours * 3_600 }
          : undefined,
      kmsKeyArn,
      logUserId,
      logSampling,
    };
  });
}

function selectsTrait(option: ResolvedOptions["flagsmithTraits"]): IdentifyOptions["selectsTrait"] {
  if (typeof option === "boolean") return option ? () => true : undefined;
  return compileSelection({ include: option });
}

/** Reads variables, gathers what is wrong with them, and throws once at the end. */
class Reader {
  readonly #faults = new Set<string>();

  constructor(private readonly environment: Environment) {}

  finish<Config>(read: (reader: Reader) => Config): Config {
    const config = read(this);
    if (this.#faults.size > 0) throw new ConfigurationError([...this.#faults]);
    return config;
  }

  text(name: string): string {
    const value = this.environment[name];
    if (!value) this.#faults.add(`${name}: missing; the stack sets it, deploy it again`);
    return value ?? "";
  }

  aws(queueVariable: string): AwsConfig {
    const region = this.text("AWS_REGION");
    const sessionToken = this.environment.AWS_SESSION_TOKEN;
    const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    return {
      region,
      credentials: {
        accessKeyId: this.text("AWS_ACCESS_KEY_ID"),
        secretAccessKey: this.text("AWS_SECRET_ACCESS_KEY"),
        ...(sessionToken ? { sessionToken } : {}),
      },
      ssmEndpoint: this.environment.AWS_ENDPOINT_URL_SSM ?? `https://ssm.${region}.${suffix}`,
      dynamodbEndpoint: this.environment.AWS_ENDPOINT_URL_DYNAMODB ?? `https://dynamodb.${region}.${suffix}`,
      sqsEndpoint: this.environment.AWS_ENDPOINT_URL_SQS ?? this.originOf(queueVariable),
    };
  }

  options(functionName: FunctionName): ResolvedOptions {
    const { options, faults } = fromEnvironment(functionName, this.environment);
    for (const fault of faults) this.#faults.add(fault);
    return resolveOptions(options);
  }

  private originOf(variable: string): string {
    const value = this.text(variable);
    if (URL.canParse(value)) return new URL(value).origin;
    this.#faults.add(`${variable}: must be the URL of a queue`);
    return "";
  }
}
