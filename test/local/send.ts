import { readFileSync } from "node:fs";
import { parseOptions, UsageError } from "../support/usage";
import { postSigned } from "./post";
import { DEFAULT_PORT, DEFAULT_SECRET, firstLine } from "./settings";

const USAGE =
  "usage: npm run send -- <file.json> [--url http…/webhook] [--secret …] [--as identity]; defaults by PORT and FLAGSMITH_WEBHOOK_SECRET";

/** The first key `identity` whose value is a string: a flag's own `identity` is a number or null. */
const IDENTITY = /("identity"\s*:\s*)"(?:[^"\\]|\\.)*"/;

async function main(): Promise<void> {
  const { values, positionals } = parseOptions(USAGE, {
    options: { url: { type: "string" }, secret: { type: "string" }, as: { type: "string" } },
    allowPositionals: true,
  });
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new UsageError(USAGE);
  const body = withIdentity(readFileSync(file), values.as);
  const url = values.url ?? `http://127.0.0.1:${process.env.PORT ?? DEFAULT_PORT}/webhook`;
  if (!/^https?:/.test(url)) throw new Error(`--url: allowed is a URL with http or https; got ${url}`);
  const secret = values.secret ?? process.env.FLAGSMITH_WEBHOOK_SECRET ?? DEFAULT_SECRET;
  const answer = await postSigned(url, body, firstLine(secret));
  console.log(`${answer.status} ${answer.body}`);
  if (answer.status === 404) console.error(`nothing is at ${url}: the webhook's URL ends in /webhook`);
  if (answer.status >= 400) process.exitCode = 1;
}

/** The bytes as they are, but for the one string that names the identity. */
function withIdentity(body: Buffer, identity: string | undefined): Buffer {
  if (identity === undefined) return body;
  const text = body.toString("utf8");
  if (!IDENTITY.test(text)) throw new Error("--as: the file has no identity to replace");
  return Buffer.from(text.replace(IDENTITY, (_, key: string) => key + JSON.stringify(identity)));
}

main().catch((error: unknown) => {
  const refused = error instanceof TypeError && error.cause instanceof Error;
  console.error(refused ? `no answer: ${String(error.cause)}; is npm start running?` : Object(error).message);
  process.exit(1);
});
