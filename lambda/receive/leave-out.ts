import { isPlaceholderIdentity, type ResolvedOptions } from "../options";
import { isNameless } from "./evaluation";
import { compileSelection } from "./selection";

/** Why an identity is left out: field `code` of the line. */
export type LeftOut = "placeholder-identity" | "unselected-identity" | "nameless-identity";

type IdentityOptions = Pick<ResolvedOptions, "identities" | "placeholderIdentities" | "anonymousIdentities">;

/** Compiles the options that leave identities out. Placeholders are left out whatever is selected. */
export function leavesOut(options: IdentityOptions): (identity: string) => LeftOut | undefined {
  const { placeholderIdentities, anonymousIdentities } = options;
  const selects = compileSelection(options.identities);
  return (identity) => {
    if (placeholderIdentities === "drop" && isPlaceholderIdentity(identity)) return "placeholder-identity";
    if (!selects(identity)) return "unselected-identity";
    return anonymousIdentities === "drop" && isNameless(identity) ? "nameless-identity" : undefined;
  };
}
