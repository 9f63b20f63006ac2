import { createHmac, timingSafeEqual } from "node:crypto";

/** Returns the value of `X-Flagsmith-Signature`: lower-case hex HMAC-SHA256 of the exact bytes. The key is the UTF-8 secret. */
export function sign(body: Uint8Array, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/**
 * Whether `header` is the signature of `body` under one of `secrets`. It never throws. It checks every secret even after a match, so
 * the elapsed time reveals nothing.
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
