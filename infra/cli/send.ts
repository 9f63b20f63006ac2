import { readFileSync } from "node:fs";
import { sign } from "../../lambda/receive/signature";
import { type Command, CommandError, DEFAULT_PORT, parse, UsageError } from "./command";

/** The secret that `npm start` begins with. */
export const DEFAULT_SECRET = "local-secret";

/** The first key `identity` whose value is a string: a flag's own `identity` is a number or null. */
const IDENTITY = /("identity"\s*:\s*)"(?:[^"\\]|\\.)*"/;

/** The user of a body that is made here. */
const DEFAULT_IDENTITY = "me";

/** Posts a file, or a body that it makes, as Flagsmith does: the exact bytes, with their signature. */
export const send: Command = {
  usage: "send <file.json> | --flag <name>[=<value>] | --off <name> [--as <identity>] [--url <webhook>] [--secret <secret>]",
  help: `  --flag <name>      makes a body with this flag on; more than one may be given
  --flag <n>=<value> the flag has a value: a whole number, true, false, or else a text
  --off <name>       the flag is off
  --as <identity>    the user; default: the one in the file, or ${DEFAULT_IDENTITY}
  --url <url>        default: the npm start at PORT, or at ${DEFAULT_PORT}
  --secret <secret>  default: FLAGSMITH_WEBHOOK_SECRET, which keeps it out of the shell's history, or ${DEFAULT_SECRET}`,
  run: async (args, { environment, print }) => {
    const isMade = args.some((argument) => /^--(flag|off)(=|$)/.test(argument));
    const { values, argument: file } = parse(args, OPTIONS, isMade ? undefined : "file");
    const url = values.url ?? `http://127.0.0.1:${environment.PORT ?? DEFAULT_PORT}/webhook`;
    if (!/^https?:/.test(url) || !URL.canParse(url)) {
      throw new UsageError(`--url: allowed is a URL with http or https; got ${url}`);
    }
    const { FLAGSMITH_WEBHOOK_SECRET = DEFAULT_SECRET } = environment;
    const secret = firstLine(values.secret ?? FLAGSMITH_WEBHOOK_SECRET);
    if (secret === "") throw new UsageError("--secret, or FLAGSMITH_WEBHOOK_SECRET: must not be empty");
    const { status, body } = await postSigned(url, isMade ? bodyWith(values) : withIdentity(read(file), values.as), secret);
    print(`${status} ${body}`);
    if (status === 401) print("signed with another secret than the webhook's: give --secret, or set FLAGSMITH_WEBHOOK_SECRET");
    if (status === 404) print(`nothing is at ${url}: the webhook's URL ends in /webhook`);
    return status >= 300 ? 1 : 0;
  },
};

const OPTIONS = {
  url: { type: "string" },
  secret: { type: "string" },
  as: { type: "string" },
  flag: { type: "string", multiple: true },
  off: { type: "string", multiple: true },
} as const;

interface Flags {
  readonly flag?: readonly string[] | undefined;
  readonly off?: readonly string[] | undefined;
  readonly as?: string | undefined;
}

/** An evaluation with as much as Flagsmith's edge API sends at the least. @throws UsageError for a flag without a name */
function bodyWith({ flag = [], off = [], as: identity = DEFAULT_IDENTITY }: Flags): Buffer {
  const on = flag.map((given) => {
    const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(given) ?? [];
    return { name, enabled: true, value: value === undefined ? null : flagValue(value) };
  });
  const flags = [...on, ...off.map((name) => ({ name, enabled: false, value: null }))];
  if (flags.some(({ name }) => name === "")) throw new UsageError("--flag, --off: the name of a flag is needed");
  const payload = flags.map(({ name, enabled, value }) => ({ enabled, feature: { name }, feature_state_value: value }));
  return Buffer.from(JSON.stringify({ flags: payload, identity, segments: [], traits: [] }));
}

/** Flagsmith's values are texts, whole numbers and booleans. */
function flagValue(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Milliseconds an answer may take: more than the 10 s that API Gateway's integration gets. */
const PATIENCE = 15_000;

/** @throws CommandError if nothing answers. */
export async function postSigned(url: string, body: Buffer, secret: string): Promise<Answer> {
  const headers = { "content-type": "application/json", "x-flagsmith-signature": sign(body, secret) };
  const signal = AbortSignal.timeout(PATIENCE);
  try {
    const response = await fetch(url, { method: "POST", headers, body: new Uint8Array(body), redirect: "manual", signal });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    const reason = Object(error).cause?.message || Object(error).message;
    throw new CommandError(`no answer from ${url}: ${reason}; is it deployed, or npm start running?`, { cause: error });
  }
}

/** Of several secrets, one per line, the one that signs. */
export function firstLine(secrets: string): string {
  return secrets.trim().split("\n", 1)[0]?.trim() ?? "";
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CommandError(`${file}: ${Object(cause).code}; give the path of a file`, { cause });
  }
}

/** The bytes as they are, but for the one string that names the identity. */
function withIdentity(body: Buffer, identity: string | undefined): Buffer {
  if (identity === undefined) return body;
  const text = body.toString("utf8");
  if (!IDENTITY.test(text)) throw new CommandError("--as: the file has no identity to replace");
  return Buffer.from(text.replace(IDENTITY, (_, key: string) => key + JSON.stringify(identity)));
}
