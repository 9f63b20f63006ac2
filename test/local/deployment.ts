import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import cdkJson from "../../cdk.json";
import { ConfigurationError } from "../../lambda/errors";
import { isJsonObject } from "../../lambda/json";
import type { Options } from "../../lambda/options";

type Properties = Readonly<Record<string, unknown>>;

/** What `cdk deploy` would create. It is read from the synthesized template, so that no setting is written twice. */
export interface Deployment {
  readonly stackName: string;
  readonly queues: readonly { readonly logicalId: string; readonly properties: Properties }[];
  readonly tables: readonly { readonly logicalId: string; readonly properties: Properties }[];
  /** Names of the alarms, and addresses that the alarms are sent to. */
  readonly alarms: readonly string[];
  readonly receivers: readonly string[];
  readonly receive: FunctionDeployment;
  readonly deliver: FunctionDeployment;
  readonly eventSource: {
    /** Logical id. */
    readonly queue: string;
    readonly batchSize: number;
    readonly maxConcurrency: number;
    /** False if option `paused` is on. */
    readonly enabled: boolean;
  };
}

export interface FunctionDeployment {
  /** Milliseconds. */
  readonly timeout: number;
  /** Values may be references. */
  readonly environment: Properties;
}

/** The first environment in `cdk.json`, with its options. @throws ConfigurationError if there is none. */
export function cdkJsonEnvironment(): readonly [name: string, options: unknown] {
  const [first] = Object.entries(Object(cdkJson.context).environments ?? { production: {} });
  if (first === undefined) throw new ConfigurationError(["environments: at least one is needed"]);
  return first;
}

const synthesized = new Map<string, Deployment>();

/** Synthesizes the stack of one environment once. Test processes share the result in the folder of their run. */
export function synthesize(environmentName: string, options: unknown, overrides: Options = {}): Deployment {
  const all = isJsonObject(options) ? { ...options, ...overrides } : options;
  const key = JSON.stringify([environmentName, all]);
  const known = synthesized.get(key) ?? readShared(key);
  const deployment = known ?? synthesizeNew(environmentName, all);
  if (known === undefined) writeShared(key, deployment);
  synthesized.set(key, deployment);
  return deployment;
}

/** CDK takes seconds to load, so it is loaded only when it is needed. */
function synthesizeNew(environmentName: string, options: unknown): Deployment {
  const { synthesizeDeployment }: typeof import("./synthesis") = require("./synthesis");
  return synthesizeDeployment(environmentName, options);
}

const shared = (key: string) => {
  const { SYNTHESIZED: folder } = process.env;
  return folder === undefined ? undefined : join(folder, `${createHash("sha256").update(key).digest("hex")}.json`);
};

function readShared(key: string): Deployment | undefined {
  const path = shared(key);
  return path !== undefined && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function writeShared(key: string, deployment: Deployment): void {
  const path = shared(key);
  if (path === undefined) return;
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(deployment));
  renameSync(`${path}.${process.pid}`, path);
}
