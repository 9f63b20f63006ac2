import type { ExitCode } from "../../infra/cli/command";
import { run } from "../../infra/cli/commands";
import { REGION } from "../cloud/server";
import type { Pipeline } from "./pipeline";

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly progress: string;
}

/** An answer of Segment's settings to the write key's path. */
export interface SettingsAnswer {
  readonly status: number;
  readonly body?: string;
  readonly contentType?: string;
}

export interface Operator {
  /** What the operator answers, or does meanwhile. @default - nobody is there */
  readonly answer?: boolean | ((question: string) => Promise<boolean>);
  /** What the operator types. @default - nobody is there */
  readonly types?: (question: string, answer: "shown" | "hidden") => string;
  /** On standard input. @default - that is a terminal */
  readonly piped?: string;
  /** Of the current folder. @default - there is none */
  readonly cdkJson?: object;
  readonly environment?: Readonly<Record<string, string>>;
  /** @default - that of a source in the US */
  readonly settings?: SettingsAnswer | Error;
}

export const US_SOURCE: SettingsAnswer = settingsWith("api.segment.io/v1");

export function settingsWith(apiHost: unknown): SettingsAnswer {
  return { status: 200, body: JSON.stringify({ integrations: { "Segment.io": { apiHost } } }) };
}

/** A command beside the running local cloud, as `--local`. */
export async function runLocal(pipeline: Pipeline, args: readonly string[], operator: Operator = {}): Promise<Ran> {
  const { environment } = operator;
  return runCommand([...args, "--local"], operator, { PORT: new URL(pipeline.cloud.webhookUrl).port, ...environment });
}

/** A command as on AWS: the SDK's own variables point it at the emulator. Segment's settings are the test's. */
export async function runOnAws(pipeline: Pipeline, args: readonly string[], operator: Operator = {}): Promise<Ran> {
  const { endpoint, credentials } = pipeline.cloud.places;
  const variables: Readonly<Record<string, string>> = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_MAX_ATTEMPTS: "1",
  };
  const before = { ...process.env };
  const { fetch: original } = globalThis;
  const spy = jest.spyOn(globalThis, "fetch").mockImplementation(settingsOr(original, operator.settings ?? US_SOURCE));
  Object.assign(process.env, variables);
  try {
    return await runCommand([...args, "--region", REGION], operator, operator.environment ?? {});
  } finally {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    spy.mockRestore();
  }
}

/** Nothing beyond loopback is asked, but Segment's settings, which the test answers. */
function settingsOr(original: typeof fetch, settings: SettingsAnswer | Error): typeof fetch {
  return async (input, init) => {
    const url = String(input);
    if (url.startsWith("http://127.0.0.1:")) return original(input, init);
    if (!/^https:\/\/cdn\.segment\.com\/v1\/projects\/[^/]+\/settings$/.test(url))
      throw new Error(`unexpected request of ${url}`);
    if (settings instanceof Error) throw settings;
    const { status, body = "{}", contentType = "application/json" } = settings;
    return new Response(body, { status, headers: { "content-type": contentType } });
  };
}

async function runCommand(args: readonly string[], operator: Operator, environment: Readonly<Record<string, string>>) {
  const out: string[] = [];
  const progress: string[] = [];
  const { answer, types, piped, cdkJson } = operator;
  const code = await run(args, {
    environment,
    print: (text) => out.push(text),
    progress: (text) => progress.push(text),
    confirm: async (question) => (typeof answer === "function" ? answer(question) : answer),
    onInterrupt: () => () => {},
    input: {
      ask: async (question, kind) => types?.(question, kind),
      piped: async () => piped,
      read: async (name) => (name === "cdk.json" && cdkJson !== undefined ? JSON.stringify(cdkJson) : undefined),
    },
  });
  return { code, out: out.join("\n"), progress: progress.join("\n") };
}
