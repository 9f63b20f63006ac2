import { createHmac, timingSafeEqual } from "node:crypto";

/** A body as it came: text stands for its UTF-8, and is neither copied nor decoded for it. */
export type Body = string | Uint8Array;

/** Lower-case hex HMAC-SHA256 of the exact bytes, keyed with the UTF-8 secret: what Flagsmith puts in `X-Flagsmith-Signature`. */
export function sign(body: Body, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/**
 * Whether `header` is the signature of `body` under one of `secrets`. Any header, absent ones included, gives a boolean;
 * every secret is tried whatever the earlier ones gave, so the time taken tells nothing.
 */
export function verifySignature(body: Body, header: string | undefined, secrets: readonly string[]): boolean {
  const given = Buffer.from(header ?? "", "utf8");
  let verified = false;
  for (const secret of secrets) {
    const expected = Buffer.from(sign(body, secret), "latin1");
    verified = (given.length === expected.length && timingSafeEqual(given, expected)) || verified;
  }
  return verified;
}

/**
 * The secrets of a parameter: one a line, so that the old and the new one are both accepted during a rotation. Blanks around
 * a secret come from the way it was pasted and are dropped.
 */
export function readSecrets(parameterValue: string): readonly string[] {
  return parameterValue
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
