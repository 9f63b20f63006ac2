import { type Aws, connect } from "../aws";
import { lineOf, verdict } from "../checks/finding";
import { CommandError, type Terminal } from "../command";
import { explain } from "../explain";
import { findPipeline, NoPipelineError, type Pipeline } from "../pipeline";
import { type Caller, callerOf, nameOf } from "./account";
import { type Deployment, textOf } from "./cdk-json";
import type { Dialog } from "./dialog";

/** Connects to the region of the options. If they name none, the operator is asked. */
export async function connectOrAsk(dialog: Dialog, terminal: Terminal, region: string | undefined): Promise<Aws> {
  try {
    return await connect({ region }, terminal);
  } catch (error) {
    if (!(error instanceof CommandError) || dialog.isUnattended) throw error;
    return connect({ region: await dialog.ask("AWS region of the stack, such as eu-west-1:") }, terminal);
  }
}

/** @throws CommandError if the credentials belong to another account than the entry names. */
export async function examineCaller(
  dialog: Dialog,
  { environment }: Terminal,
  aws: Aws,
  { entry }: Deployment,
): Promise<Caller | undefined> {
  const check = "credentials";
  const account = textOf(entry, "account");
  try {
    const caller = await callerOf(aws);
    if (account !== undefined && account !== caller.account) {
      throw new CommandError(`the credentials are of account ${caller.account}, cdk.json has "account": "${account}"`);
    }
    const detail = `account ${caller.account}, ${nameOf(caller)}, region ${aws.region}`;
    dialog.print(lineOf({ check, ...verdict("ok", detail) }));
    return caller;
  } catch (error) {
    const isUnreachable = error instanceof TypeError || Object(error).name === "TimeoutError";
    if (!isUnreachable) throw error;
    const detail = `not looked at: STS can't be reached from here: ${explain(error, environment)}`;
    dialog.print(lineOf({ check, ...verdict("skip", detail) }));
    return undefined;
  }
}

/** undefined = no such pipeline is deployed. */
export async function deployedOf(aws: Aws, stack: string | undefined, environment: string): Promise<Pipeline | undefined> {
  try {
    return await findPipeline(aws, { stack, environment });
  } catch (error) {
    if (error instanceof NoPipelineError) return undefined;
    throw error;
  }
}
