import { isPlaceholderIdentity, type ResolvedOptions } from "../options";
import { isNameless } from "./evaluation";
import { compileSelection } from "./selection";

export interface LeaveOutReason {
  /** Field `code` of the line. */
  readonly code: "placeholder-identity" | "unselected-identity" | "nameless-identity";
  readonly reason: string;
}

type IdentityOptions = Pick<ResolvedOptions, "identities" | "placeholderIdentities" | "anonymousIdentities">;

const PLACEHOLDER: LeaveOutReason = {
  code: "placeholder-identity",
  reason: "a placeholder for an identity, which a broken client sends for everybody; option placeholderIdentities is drop",
};
const UNSELECTED: LeaveOutReason = { code: "unselected-identity", reason: "option identities leaves this identity out" };
const NAMELESS: LeaveOutReason = {
  code: "nameless-identity",
  reason: "identity without a name, option anonymousIdentities is drop",
};

/** Compiles the options that leave identities out. Placeholders are left out whatever is selected. */
export function leavesOut(options: IdentityOptions): (identity: string) => LeaveOutReason | undefined {
  const { placeholderIdentities, anonymousIdentities } = options;
  const selects = compileSelection(options.identities);
  return (identity) => {
    if (placeholderIdentities === "drop" && isPlaceholderIdentity(identity)) return PLACEHOLDER;
    if (!selects(identity)) return UNSELECTED;
    return anonymousIdentities === "drop" && isNameless(identity) ? NAMELESS : undefined;
  };
}
