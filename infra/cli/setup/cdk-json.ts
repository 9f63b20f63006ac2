import { isJsonObject, tryParseJson } from "../../../lambda/json";
import { environmentNameFaults } from "../../environment-name";
import { CommandError, type Terminal, UsageError } from "../command";

/** One entry of `context.environments`. */
export type Entry = Readonly<Record<string, unknown>>;

/** The content of `cdk.json` for the environment that is set up. */
export interface Deployment {
  readonly environment: string;
  /** All of `context.environments`, including the entry of this environment. */
  readonly environments: Readonly<Record<string, unknown>>;
  /** The entry of this environment. undefined = there is none yet. */
  readonly entry: Entry | undefined;
  /** Whether `cdk.json` is this product's own. Otherwise the construct is part of another app. */
  readonly isClone: boolean;
  /** The qualifier of the bootstrap. undefined = `cdk.json` has none. */
  readonly qualifier: string | undefined;
}

const QUALIFIER = "@aws-cdk/core:bootstrapQualifier";

/** @throws UsageError if the environment's name is missing or not allowed. @throws CommandError for an invalid `cdk.json`. */
export async function readDeployment(input: Terminal["input"], chosen: string | undefined): Promise<Deployment> {
  const text = await input?.read("cdk.json");
  const json = text === undefined ? {} : tryParseJson(text);
  if (!isJsonObject(json)) throw new CommandError("cdk.json is not a JSON object: correct it");
  const context = isJsonObject(json.context) ? json.context : {};
  const { environments = {} } = context;
  if (!isJsonObject(environments)) throw new CommandError("cdk.json: context.environments is not an object: correct it");
  const names = Object.keys(environments);
  if (chosen === undefined && names.length > 1) {
    throw new UsageError(`cdk.json has several environments, ${names.join(", ")}: give --environment`);
  }
  const environment = chosen ?? names[0] ?? "production";
  const [fault] = environmentNameFaults(environment, "--environment");
  if (fault !== undefined) throw new UsageError(fault);
  const entry = Object.hasOwn(environments, environment) ? environments[environment] : undefined;
  if (entry !== undefined && !isJsonObject(entry)) {
    throw new CommandError(`cdk.json: environments.${environment} is not an object: correct it`);
  }
  const isClone = String(json.app).includes("infra/app.ts");
  const qualifier = textOf(context, QUALIFIER);
  return { environment, environments, entry, isClone, qualifier };
}

/** The entry's text of that name. undefined = it has none. */
export function textOf(entry: Entry | undefined, name: string): string | undefined {
  const value = entry?.[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The value that the entry or an option gives. @throws UsageError if both give one and they differ. */
export function agreed(entry: Entry | undefined, name: string, option: string, given: string | undefined): string | undefined {
  const own = textOf(entry, name);
  if (own !== undefined && given !== undefined && own !== given) {
    throw new UsageError(`--${option} is ${given}, cdk.json has "${name}": "${own}": change one of them`);
  }
  return own ?? given;
}
