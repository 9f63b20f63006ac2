import { createHmac, timingSafeEqual } from "node:crypto";

/** Lower-case hex HMAC-SHA256 of the exact bytes, keyed with the UTF-8 secret: what Flagsmith puts in `X-Flagsmith-Signature`. */
export function sign(body: Uint8Array, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/**
 * Whether `header` is the signature of `body` under one of `secrets`. Any header gives a boolean; every secret is tried whatever
 * the earlier ones gave, so the elapsed time reveals nothing.
 */
export function verifySignature(body: Uint8Array, header: string, secrets: readonly string[]): boolean {
  const given = Buffer.from(header, "utf8");
  let verified = false;
  for (const secret of secrets) {
    const expected = Buffer.from(sign(body, secret), "utf8");
    verified = (given.length === expected.length && timingSafeEqual(given, expected)) || verified;
  }
  return verified;
}
