import type { Terminal } from "./command";

/** In words for the operator. `environment` tells what the credentials were taken from. */
export function explain(error: unknown, { AWS_PROFILE }: Terminal["environment"]): string {
  const { name, message, cause } = Object(error);
  if (name === "CredentialsProviderError") {
    const profile = `AWS_PROFILE ${AWS_PROFILE}: there is no such profile, its login has expired, or it has no credentials`;
    return `${AWS_PROFILE === undefined ? "no AWS credentials: log in, or set AWS_PROFILE" : profile} (${message})`;
  }
  if (/^ExpiredToken|^UnrecognizedClient|^InvalidClientTokenId/.test(name)) return `${name}: log in to AWS again`;
  if (Object(error).code === "ENOTFOUND") return `${message}: is the region right, and is there a network?`;
  if (cause instanceof Error) return cause.message || cause.name;
  return name === "Error" || name === undefined ? String(message ?? error) : `${name}: ${message}`;
}
