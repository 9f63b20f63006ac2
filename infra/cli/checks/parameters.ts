import { GetParameterCommand, type SSMClient } from "@aws-sdk/client-ssm";
import { type Level, type Verdict, verdict } from "./finding";

export interface ParameterValue {
  readonly type: string;
  readonly value: string;
}

/** undefined = there is no such parameter. */
export async function readParameter(ssm: SSMClient, name: string): Promise<ParameterValue | undefined> {
  try {
    const { Parameter: found } = await ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
    return { type: found?.Type ?? "", value: found?.Value ?? "" };
  } catch (error) {
    if (error instanceof Error && error.name === "ParameterNotFound") return undefined;
    throw error;
  }
}

/** Says what is wrong with a value without showing it. `command` sets a new one. */
export function judgeParameter(parameter: ParameterValue | undefined, command: string, severalLines: boolean): Verdict {
  if (parameter === undefined) return verdict("failed", "does not exist", command);
  const [level, detail] = judged(parameter, severalLines);
  return verdict(level, detail, command);
}

/** The functions take what is only a warning. */
function judged({ type, value }: ParameterValue, severalLines: boolean): readonly [Level, string] {
  const lines = value.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
  if (lines.every((line) => line.trim() === "")) return ["failed", "is empty"];
  if (lines.some((line) => /^(["'`]).*\1$/.test(line))) return ["failed", "has quotes around the value"];
  if (lines.some((line) => line.startsWith("<"))) return ["failed", "holds the placeholder"];
  if (!severalLines && lines.length > 1) return ["warning", "has more than one line; only the first is used"];
  if (lines.some((line) => line !== line.trim() || line === ""))
    return ["warning", "has blanks or blank lines around the value"];
  if (type !== "SecureString") return ["warning", `is a ${type}: everybody who may read the parameter reads it in the clear`];
  return ["ok", "is there, a SecureString"];
}

/** The tracking API answers 200 to any key; only this tells. */
export async function checkWriteKey(settingsUrl: string, writeKey: string, command: string): Promise<Verdict> {
  const url = `${settingsUrl}/v1/projects/${encodeURIComponent(writeKey)}/settings`;
  const { status } = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  // Only 404 says that there is no such source; anything else is Segment's own trouble.
  if (status !== 200 && status !== 404) {
    return verdict("warning", `Segment's settings answer ${status}`, "try again later");
  }
  const fix = `take the key of the source from Segment, then: ${command}`;
  return verdict(status === 200 ? "ok" : "failed", status === 200 ? "belongs to a source" : "no source has it", fix);
}
