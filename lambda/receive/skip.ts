import type { ResolvedOptions } from "../options";
import { isAnonymous } from "./evaluation";
import { compileSelection } from "./selection";

/** Why an identity is skipped: field `code` of the log entry. */
export type SkipReason = "placeholder-identity" | "unselected-identity" | "nameless-identity";

/** Broken clients identify all their users as one of these. Segment would merge them into one user. */
const PLACEHOLDERS: readonly string[] = ["undefined", "null", "NaN", "[object Object]"];

/** Compiles the options that skip identities. The result returns undefined for an identity that is sent. */
export function compileSkip(options: Pick<ResolvedOptions, "identities" | "anonymousIdentities">) {
  const selects = compileSelection(options.identities);
  const included = options.identities.include ?? [];
  return (identity: string): SkipReason | undefined => {
    const isPlaceholder = PLACEHOLDERS.includes(identity) && !included.includes(identity);
    if (isPlaceholder || /^\s*$/.test(identity)) return "placeholder-identity";
    if (!selects(identity)) return "unselected-identity";
    return options.anonymousIdentities === "drop" && isAnonymous(identity) ? "nameless-identity" : undefined;
  };
}
