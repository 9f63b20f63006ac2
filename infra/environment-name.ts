/** The name is part of the stack's name and of the parameters' paths. */
const ENVIRONMENT_NAME = /^[A-Za-z][A-Za-z0-9-]{0,99}$/;

/** The errors in the name of a Flagsmith environment. `path` says where the name was given. */
export function environmentNameFaults(name: unknown, path: string): readonly string[] {
  return typeof name === "string" && ENVIRONMENT_NAME.test(name)
    ? []
    : [`${path}: an environment's name starts with a letter, then up to 99 letters, digits and dashes`];
}

/** The SSM parameters of a Flagsmith environment. The operator creates them as SecureStrings. */
export function parameterNames(environmentName: string): { readonly webhookSecret: string; readonly writeKey: string } {
  const path = `/flagsmith-to-segment/${environmentName}`;
  return { webhookSecret: `${path}/webhook-secret`, writeKey: `${path}/segment-write-key` };
}
