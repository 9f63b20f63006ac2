import { GetAccountSettingsCommand } from "@aws-sdk/client-lambda";
import { Hash } from "@smithy/hash-node";
import { SignatureV4 } from "@smithy/signature-v4";
import { notAnAnswer, required } from "../answer";
import type { Aws } from "../aws";
import { type Check, type Finding, verdict } from "../checks/finding";
import { ROOM_FOR_RECEIVE } from "../checks/functions";
import { readParameter } from "../checks/parameters";

export interface Caller {
  readonly account: string;
  /** Name of the role's session, or of the user. */
  readonly arn: string;
}

const BODY = "Action=GetCallerIdentity&Version=2011-06-15";
const TIMEOUT_MS = 10_000;

/** The account and the role that the credentials belong to. The call needs no right, so an error means invalid credentials. @throws that error */
export async function callerOf({ lambda, region }: Aws): Promise<Caller> {
  const url = stsUrl(region);
  const { credentials } = lambda.config;
  const signer = new SignatureV4({ service: "sts", region, credentials, sha256: Hash.bind(null, "sha256") });
  const headers = { host: url.host, "content-type": "application/x-www-form-urlencoded" };
  const { protocol, hostname } = url;
  const signed = await signer.sign({ method: "POST", protocol, hostname, path: "/", headers, body: BODY });
  const { host: _, ...sent } = signed.headers;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { method: "POST", headers: sent, body: BODY, signal });
  const text = await response.text();
  const [account, arn] = [elementOf(text, "Account"), elementOf(text, "Arn")];
  if (response.status === 200 && account !== undefined && arn !== undefined) return { account, arn };
  const code = elementOf(text, "Code");
  if (code === undefined) throw notAnAnswer(response.status);
  throw Object.assign(new Error(elementOf(text, "Message") ?? ""), { name: code });
}

/** The endpoint, from the same variables that the SDK reads. */
function stsUrl(region: string): URL {
  const { AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL } = process.env;
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return new URL("/", AWS_ENDPOINT_URL_STS ?? AWS_ENDPOINT_URL ?? `https://sts.${region}.${suffix}`);
}

function elementOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1];
}

/** Examples: "role Admin, session ann", "user ann". */
export function nameOf({ arn }: Caller): string {
  const [kind = "", ...names] = arn.split(":").slice(5).join(":").split("/");
  const name = names.join("/");
  if (kind !== "assumed-role") return name === "" ? kind : `${kind} ${name}`;
  return `role ${names.slice(0, -1).join("/")}, session ${names.at(-1)}`;
}

/** The lowest version of the bootstrap stack that CDK's stacks accept. Source: MIN_BOOTSTRAP_STACK_VERSION in aws-cdk-lib. */
const MIN_BOOTSTRAP_VERSION = 6;

export function bootstrapCommand(account: string | undefined, region: string, qualifier: string): string {
  const own = qualifier === DEFAULT_QUALIFIER ? "" : ` --qualifier ${qualifier}`;
  return `npx cdk bootstrap aws://${account ?? "<account>"}/${region}${own}`;
}

export const DEFAULT_QUALIFIER = "hnb659fds";

export function bootstrapCheck({ ssm }: Aws, qualifier: string, command: string): Check {
  const name = `/cdk-bootstrap/${qualifier}/version`;
  return {
    name: "bootstrap",
    needs: `ssm:GetParameter on ${name}`,
    look: async () => {
      const parameter = await readParameter(ssm, name);
      if (parameter === undefined) return verdict("failed", `not done: ${name} does not exist`, command);
      const { value } = parameter;
      if (Number(value) >= MIN_BOOTSTRAP_VERSION) return verdict("ok", `version ${value}`);
      return verdict("failed", `version ${value}; at least ${MIN_BOOTSTRAP_VERSION} is needed`, command);
    },
  };
}

/** AWS requires that this many stay unreserved. */
const MIN_UNRESERVED = 100;

export interface Concurrency {
  readonly maxConcurrency: number;
  readonly reservedConcurrency: number | undefined;
}

/** Compares the account's quota with what the options will use, before a deploy. */
export function quotaCheck({ lambda }: Aws, { maxConcurrency, reservedConcurrency }: Concurrency): Check {
  return {
    name: "Lambda's quota",
    needs: "lambda:GetAccountSettings",
    look: async (): Promise<readonly Finding[]> => {
      const { AccountLimit } = await lambda.send(new GetAccountSettingsCommand({}));
      const limit = required(AccountLimit, "AccountLimit");
      const all = required(limit.ConcurrentExecutions, "ConcurrentExecutions");
      const free = required(limit.UnreservedConcurrentExecutions, "UnreservedConcurrentExecutions");
      const detail = `the account runs up to ${all} functions in parallel, ${free} of them unreserved`;
      const check = "Lambda's quota";
      if (reservedConcurrency !== undefined && free - reservedConcurrency < MIN_UNRESERVED) {
        const why = `${detail}: AWS refuses reservedConcurrency ${reservedConcurrency}, because ${MIN_UNRESERVED} must stay`;
        return [{ check, ...verdict("failed", why, "raise Lambda's quota Concurrent executions, or remove the option") }];
      }
      if ((reservedConcurrency ?? free - maxConcurrency) >= ROOM_FOR_RECEIVE) return [{ check, ...verdict("ok", detail) }];
      const why = `${detail}; deliver uses up to ${maxConcurrency}, so receive may be throttled`;
      const fix = 'raise Lambda\'s quota Concurrent executions, or begin with "maxConcurrency": 2';
      return [{ check, ...verdict("warning", why, fix) }];
    },
  };
}
