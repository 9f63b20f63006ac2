import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "fixtures");

/** The exact bytes of a webhook that Flagsmith sent. */
export function fixture(name: string): Buffer {
  return readFileSync(join(ROOT, name));
}

/** Flagsmith's signature of each fixture under one secret. */
export const signatures: { readonly secret: string; readonly files: Readonly<Record<string, string>> } = JSON.parse(
  fixture("signatures.json").toString(),
);

/** Fixtures that are evaluations, with what must reach Segment. */
export const evaluations = Object.keys(signatures.files)
  .filter((name) => !name.startsWith("not-identity/"))
  .map((name) => ({ name, expected: expectedTraits(name) }));

function expectedTraits(name: string): { readonly userId: string; readonly traits: Record<string, unknown> } {
  return JSON.parse(fixture(`expected-traits/${name}`).toString());
}

/** The secret of webhooks that a real Flagsmith sent. Each is stored with what its own Segment integration sent for the same SDK call. */
export const REAL_SECRET = "lab webhook secret é 旗";

export interface RealWebhook {
  readonly name: string;
  readonly body: Buffer;
  readonly signature: string;
  /** undefined = the webhook is not an evaluation. */
  readonly builtin: { readonly userId: string; readonly traits: Readonly<Record<string, unknown>> } | undefined;
}

export const realWebhooks: readonly RealWebhook[] = readdirSync(join(ROOT, "real-flagsmith")).map((name) => {
  const file = (part: string) => join(ROOT, "real-flagsmith", name, part);
  const { rawHeaders }: { readonly rawHeaders: readonly string[] } = JSON.parse(readFileSync(file("headers.json"), "utf8"));
  const builtin = existsSync(file("builtin-traits.json"))
    ? JSON.parse(readFileSync(file("builtin-traits.json"), "utf8"))
    : undefined;
  const signature = rawHeaders[rawHeaders.indexOf("X-Flagsmith-Signature") + 1] ?? "";
  return { name, body: readFileSync(file("body.bin")), signature, builtin };
});
