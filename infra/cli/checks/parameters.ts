import { GetParameterCommand, type SSMClient } from "@aws-sdk/client-ssm";
import { PLACEHOLDERS } from "../../../lambda/names";
import { required } from "../answer";
import { type Level, type Verdict, verdict } from "./finding";

export interface ParameterValue {
  readonly type: string;
  readonly value: string;
  readonly changedAt: Date | undefined;
}

/** The commands that create and replace a parameter. */
export interface ParameterCommands {
  readonly create: string;
  readonly overwrite: string;
}

/** undefined = there is no such parameter. */
export async function readParameter(ssm: SSMClient, name: string): Promise<ParameterValue | undefined> {
  try {
    const { Parameter: found } = await ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
    const { Type: type = "", Value: value, LastModifiedDate: changedAt } = required(found, "Parameter");
    return { type, value: required(value, "Parameter.Value"), changedAt };
  } catch (error) {
    if (error instanceof Error && error.name === "ParameterNotFound") return undefined;
    throw error;
  }
}

/** Says what is wrong with a value, but does not show it. The fix replaces a value only if it was read and is wrong. */
export function judgeParameter(
  parameter: ParameterValue | undefined,
  commands: ParameterCommands,
  severalLines: boolean,
): Verdict {
  if (parameter === undefined) return verdict("failed", "does not exist", commands.create);
  const [level, detail] = judged(parameter, severalLines);
  return verdict(level, detail, commands.overwrite);
}

const isPlaceholder = (line: string) => Object.values<string>(PLACEHOLDERS).includes(line.trim());

/** The functions accept a value that only gets a warning. */
function judged({ type, value }: ParameterValue, severalLines: boolean): readonly [Level, string] {
  const lines = value.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
  if (lines.every((line) => line.trim() === "")) return ["failed", "is empty"];
  if (lines.some((line) => /^(["'`]).*\1$/.test(line))) return ["failed", "has quotes around the value"];
  if (lines.every((line) => isPlaceholder(line) || line.trim() === "")) return ["failed", "holds the placeholder"];
  if (lines.some(isPlaceholder)) return ["warning", "has a line with the placeholder, which is ignored"];
  if (!severalLines && lines.length > 1) return ["warning", "has more than one line; only the first is used"];
  if (lines.some((line) => line !== line.trim() || line === ""))
    return ["warning", "has blanks or blank lines around the value"];
  if (type !== "SecureString") return ["warning", `is a ${type}: all who may read the parameter read it in the clear`];
  return ["ok", "is there, a SecureString"];
}
