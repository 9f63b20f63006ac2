import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "fixtures");

/** The exact bytes of a webhook that Flagsmith sent. */
export function fixture(name: string): Buffer {
  return readFileSync(join(ROOT, name));
}

/** Flagsmith's signature of each fixture under one secret. */
export const signatures: { readonly secret: string; readonly files: Readonly<Record<string, string>> } =
  JSON.parse(fixture("signatures.json").toString());

/** Fixtures that are evaluations, with what must reach Segment. */
export const evaluations = Object.keys(signatures.files)
  .filter((name) => !name.startsWith("not-identity/"))
  .map((name) => ({ name, expected: expectedTraits(name) }));

function expectedTraits(name: string): { readonly userId: string; readonly traits: Record<string, unknown> } {
  return JSON.parse(fixture(`expected-traits/${name}`).toString());
}
