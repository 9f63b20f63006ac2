import { examine, type Finding, finding, type Patient } from "./patient";

/** Says what is wrong with a value without showing it. `command` sets a new one. */
export async function checkParameter(
  patient: Patient,
  name: string,
  command: string,
  severalLines: boolean,
): Promise<{ readonly finding: Finding; readonly value?: string }> {
  const needs = "your credentials need ssm:GetParameter on it, and kms:Decrypt with kmsKeyArn";
  const looked = await examine(name, needs, () => patient.parameter(name));
  if ("blind" in looked) return { finding: looked.blind };
  const { sight: parameter } = looked;
  const fault = parameter === undefined ? "does not exist" : faultOf(parameter.type, parameter.value, severalLines);
  const [value] = linesOf(parameter?.value ?? "");
  return {
    finding: finding(name, fault === undefined, fault ?? "is there, a SecureString", command),
    ...(value === undefined ? {} : { value }),
  };
}

function faultOf(type: string, value: string, severalLines: boolean): string | undefined {
  if (type !== "SecureString") return `is a ${type}: everybody who may read the parameter reads it in the clear`;
  const lines = value.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
  if (lines.every((line) => line.trim() === "")) return "is empty";
  if (lines.some((line) => line !== line.trim() || line === "")) return "has blanks or blank lines around the value";
  if (lines.some((line) => /^(["'`]).*\1$/.test(line))) return "has quotes around the value";
  if (lines.some((line) => line.startsWith("<"))) return "holds the placeholder";
  if (!severalLines && lines.length > 1) return "has more than one line; only the first is used";
  return undefined;
}

/** The tracking API answers 200 to any key; only this tells. */
export async function checkWriteKey(patient: Patient, writeKey: string, command: string): Promise<Finding> {
  const check = "write key at Segment";
  const url = `${patient.settingsUrl}/v1/projects/${encodeURIComponent(writeKey)}/settings`;
  const looked = await examine(check, "check the network from here to Segment", async () => {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(patient.patience) });
    return status;
  });
  if ("blind" in looked) return looked.blind;
  const { sight: status } = looked;
  // Only 404 says that there is no such source; anything else is Segment's own trouble.
  if (status !== 200 && status !== 404) return finding(check, false, `Segment's settings answer ${status}`, "try again later");
  const fix = `take the key of the source from Segment, then: ${command}`;
  return finding(check, status === 200, status === 200 ? "belongs to a source" : "no source has it", fix);
}

/** As the functions read it. */
function linesOf(value: string): readonly string[] {
  return value
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
