/** Names go into stack names and parameter paths. */
const ENVIRONMENT_NAME = /^[A-Za-z][A-Za-z0-9-]{0,99}$/;

/** What is wrong with the name of a Flagsmith environment, given at `path`; none = nothing. */
export function environmentNameFaults(name: unknown, path: string): readonly string[] {
  return typeof name === "string" && ENVIRONMENT_NAME.test(name)
    ? []
    : [`${path}: an environment's name starts with a letter, then up to 99 letters, digits and dashes`];
}

/** SSM parameters of a Flagsmith environment; the operator creates them, as SecureStrings. */
export function parameterNames(environmentName: string): { readonly webhookSecret: string; readonly writeKey: string } {
  const path = `/flagsmith-to-segment/${environmentName}`;
  return { webhookSecret: `${path}/webhook-secret`, writeKey: `${path}/segment-write-key` };
}
