import { readFileSync } from "node:fs";
import { sign } from "../../lambda/receive/signature";
import { type Command, CommandError, DEFAULT_PORT, parse, UsageError } from "./command";

/** The default webhook secret of `npm start`. */
export const DEFAULT_SECRET = "local-secret";

/** Matches the first `identity` whose value is a string, because a flag's own `identity` is a number or null. */
const IDENTITY = /("identity"\s*:\s*)"(?:[^"\\]|\\.)*"/;

/** The user in a body that this command makes. */
const DEFAULT_IDENTITY = "me";

/** Posts a file, or a body that it makes, as Flagsmith does: it signs the exact bytes. */
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

/** An evaluation with the fewest fields that Flagsmith's edge API sends. @throws UsageError for a flag without a name */
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

/** The value of a flag in Flagsmith is a text, a whole number or a boolean. */
function flagValue(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Timeout for an answer in milliseconds. It is longer than the 10 s of API Gateway's integration. */
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

/** A parameter may have several secrets, one per line. The first one is used to sign. */
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

/** Replaces only the identity in the body. All other bytes stay the same. */
function withIdentity(body: Buffer, identity: string | undefined): Buffer {
  if (identity === undefined) return body;
  const text = body.toString("utf8");
  if (!IDENTITY.test(text)) throw new CommandError("--as: the file has no identity to replace");
  return Buffer.from(text.replace(IDENTITY, (_, key: string) => key + JSON.stringify(identity)));
}
