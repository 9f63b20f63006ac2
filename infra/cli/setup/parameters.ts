import { randomBytes } from "node:crypto";
import { PutParameterCommand } from "@aws-sdk/client-ssm";
import type { Aws } from "../aws";
import { judgeParameter, type ParameterValue, readParameter } from "../checks/parameters";
import type { SegmentRegion } from "../checks/write-key";
import { CommandError } from "../command";
import { firstLine } from "../send";
import type { Dialog } from "./dialog";
import { askWriteKey, type KeyPlace, lookUp } from "./write-key";

/** The planned change to a parameter. No parameter is written before all questions are answered. */
export type Plan =
  | { readonly kind: "keep"; readonly name: string; readonly isUsable: boolean }
  | { readonly kind: "write"; readonly name: string; readonly value: string; readonly overwrite: boolean };

const SECRET_BYTES = 32;

/** Keeps a stored secret, unless it is empty or a placeholder. */
export async function planSecret(dialog: Dialog, aws: Aws, name: string): Promise<Plan> {
  const stored = await readParameter(aws.ssm, name);
  if (stored !== undefined) {
    const { isUsable, isReplaced } = await judgeStored(dialog, name, stored, true);
    if (!isReplaced) return { kind: "keep", name, isUsable };
  }
  const value = randomBytes(SECRET_BYTES).toString("hex");
  return { kind: "write", name, value, overwrite: stored !== undefined };
}

export interface KeyPlan {
  readonly plan: Plan;
  readonly region: SegmentRegion | undefined;
}

/** Keeps a stored key, unless it is unusable, or Segment does not know it and the operator wants to replace it. */
export async function planWriteKey(dialog: Dialog, name: string, place: KeyPlace): Promise<KeyPlan> {
  const stored = await readParameter(place.aws.ssm, name);
  const kept = stored && (await planStoredKey(dialog, name, stored, place));
  if (kept !== undefined) return kept;
  const { writeKey: value, region } = await askWriteKey(dialog, place);
  return { plan: { kind: "write", name, value, overwrite: stored !== undefined }, region };
}

/** undefined = the operator replaces it. */
async function planStoredKey(
  dialog: Dialog,
  name: string,
  stored: ParameterValue,
  place: KeyPlace,
): Promise<KeyPlan | undefined> {
  const { isUsable, isReplaced } = await judgeStored(dialog, name, stored, false);
  if (isReplaced) return undefined;
  if (!isUsable) return { plan: { kind: "keep", name, isUsable }, region: undefined };
  const { doubt, region } = await lookUp(dialog, firstLine(stored.value), place);
  const kept = { plan: { kind: "keep", name, isUsable }, region } as const;
  if (doubt === undefined) return kept;
  const says = `${doubt}; ${name} is kept: --yes overwrites nothing`;
  const isWanted = await dialog.confirm(`${name}: ${doubt}. Replace it by another?`, { answer: false, says });
  return isWanted ? undefined : kept;
}

async function judgeStored(dialog: Dialog, name: string, stored: ParameterValue, severalLines: boolean) {
  const { level, detail } = judgeParameter(stored, { create: "", overwrite: "" }, severalLines);
  if (level !== "failed") {
    dialog.print(`${level === "ok" ? "ok  " : "warn"}  ${name}: ${detail}; it is kept`);
    return { isUsable: true, isReplaced: false };
  }
  const says = `${name} ${detail}; it is kept: --yes overwrites nothing`;
  const isReplaced = await dialog.confirm(`${name} ${detail}. Replace it?`, { answer: false, says });
  return { isUsable: false, isReplaced };
}

/** Writes one parameter after the other. If one fails, the earlier ones stay, and the repeated command keeps them. @throws what AWS answers */
export async function writeAll(dialog: Dialog, { ssm }: Aws, plans: readonly Plan[], keyId: string | undefined): Promise<void> {
  for (const plan of plans) {
    if (plan.kind === "keep") continue;
    const { name: Name, value: Value, overwrite: Overwrite } = plan;
    const key = keyId === undefined ? {} : { KeyId: keyId };
    try {
      await ssm.send(new PutParameterCommand({ Name, Value, Type: "SecureString", Overwrite, ...key }));
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== "ParameterAlreadyExists") throw cause;
      throw new CommandError(`${Name} was created meanwhile, and is not overwritten: run this command again`, { cause });
    }
    dialog.hasWritten = true;
    dialog.print(`ok    ${Name}: ${Overwrite ? "replaced" : "created"}, a SecureString`);
  }
}
