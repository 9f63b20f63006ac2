import { FlagsmithToSegmentError } from "../../lambda/errors";
import { notAnAnswer } from "./answer";
import type { Terminal } from "./command";

const NETWORK = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/;

/** Explains an error to the operator. The environment variables show where the credentials were read from. */
export function explain(error: unknown, { AWS_PROFILE, HTTPS_PROXY }: Terminal["environment"]): string {
  if (error instanceof FlagsmithToSegmentError) return error.message;
  const { name, message, cause, $metadata: metadata } = Object(error);
  if (name === "CredentialsProviderError") {
    const profile = `AWS_PROFILE ${AWS_PROFILE}: there is no such profile, its login has expired, or it has no credentials`;
    return `${AWS_PROFILE === undefined ? "no AWS credentials: log in, or set AWS_PROFILE" : profile} (${message})`;
  }
  if (/^ExpiredToken|^UnrecognizedClient|^InvalidClientTokenId/.test(name)) return `${name}: log in to AWS again`;
  const { code } = Object(error);
  const proxy = HTTPS_PROXY && NETWORK.test(code) ? "; HTTPS_PROXY is not used" : "";
  if (code === "ENOTFOUND") return `${message}: is the region right, and is there a network?${proxy}`;
  if (proxy !== "") return `${message}${proxy}`;
  // The SDK reports Unknown… for an error answer without a name, and SyntaxError for JSON that is cut off.
  if (/^Unknown/.test(name) || name === "SyntaxError") return notAnAnswer(metadata?.httpStatusCode).message;
  if (cause instanceof Error) return cause.message || cause.name;
  return name === "Error" || name === undefined ? String(message ?? error) : `${name}: ${message}`;
}

/** AWS's services use several names for this error. */
export function isDenied(error: unknown): boolean {
  return /AccessDenied|AuthorizationError|NotAuthorized|UnauthorizedOperation/.test(Object(error).name);
}

/**
 * The right that the credentials lack, or undefined if this is another error. AWS's message usually names the right. If it does not,
 * `needs` is used.
 */
export function missingRight(error: unknown, needs?: string): string | undefined {
  if (!isDenied(error)) return undefined;
  const [, right = needs] = /not authorized to perform: ([\w-]+:\w+)/i.exec(Object(error).message) ?? [];
  return right === undefined ? undefined : `your credentials need ${right}`;
}
