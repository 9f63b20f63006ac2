import { type Finding, type Level, lineOf } from "../../infra/cli/checks/finding";
import { type ExitCode, InterruptedError } from "../../infra/cli/command";
import { run } from "../../infra/cli/commands";
import type { FunctionName } from "../../lambda/names";
import type { Options } from "../../lambda/options";
import { bytesOf, evaluationPayload } from "../cloud/events";
import { REGION } from "../cloud/server";
import { type Pipeline, type PostInput, startPipeline } from "./pipeline";

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly progress: string;
  /** In order. Those that ask for more than yes or no end in "(shown)" or "(hidden)". */
  readonly questions: readonly string[];
}

/** An answer of Segment's settings to the write key's path, or why there is none. */
export type Settings = { readonly status: number; readonly body?: string; readonly contentType?: string } | Error;

export interface Operator {
  /** What the operator answers, or does meanwhile. @default - nobody is there */
  readonly answer?: boolean | ((question: string) => Promise<boolean>);
  /** What the operator types. @default - nobody is there */
  readonly types?: (question: string, answer: "shown" | "hidden") => string;
  /** How the question begins at which the operator presses Ctrl-C. @default - none */
  readonly interruptsAt?: string;
  /** On standard input. @default - that is a terminal */
  readonly piped?: string;
  /** Of the current folder. @default - there is none */
  readonly cdkJson?: object;
  readonly environment?: Readonly<Record<string, string>>;
  /** @default - that of a source in the US */
  readonly settings?: Settings;
}

export const US_SOURCE: Settings = settingsWith("api.segment.io/v1");

export function settingsWith(apiHost: unknown): Settings {
  return { status: 200, body: JSON.stringify({ integrations: { "Segment.io": { apiHost } } }) };
}

/** An entry of the log, some hours before now. */
export function logEntry(service: FunctionName, event: string, hoursAgo: number, more: object = {}) {
  return { service, event, timestamp: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(), ...more };
}

/** A new pipeline for each test, and the command beside it. Without traffic in the last hour, doctor would search the whole day. */
export function usePipeline(...command: readonly string[]) {
  let pipeline: Pipeline;
  const start = async (options: Options = {}) => {
    pipeline = await startPipeline({ options });
    const entries = [logEntry("receive", "accepted", 0.5), logEntry("deliver", "delivered", 0.5)];
    Object.assign(pipeline.cloud.controlPlane.state, { apiId: "abc123", entries });
  };
  beforeEach(() => start());
  afterEach(async () => {
    expect(pipeline.cloud.controlPlane.unexpected).toEqual([]);
    await pipeline.stop();
  });
  return {
    pipeline: () => pipeline,
    cloud: () => pipeline.cloud,
    state: () => pipeline.cloud.controlPlane.state,
    /** Replaces the test's pipeline by one with options. */
    restartWith: async (options: Options) => {
      await pipeline.stop();
      await start(options);
    },
    post: (identity: string, input?: PostInput) => pipeline.post(bytesOf(evaluationPayload({ identity })), input),
    /** Waits for log entries. */
    saw: (event: string, times = 1) =>
      pipeline.until(() => pipeline.log.filter((line) => line.event === event).length === times),
    /** The command beside the running local cloud, as `--local`. */
    local: (args: readonly string[] = [], operator: Operator = {}) => {
      const environment = { PORT: new URL(pipeline.cloud.webhookUrl).port, ...operator.environment };
      return runCommand([...command, ...args, "--local"], { ...operator, environment });
    },
    /** The command as on AWS. */
    onAws: (args: readonly string[] = [], operator: Operator = {}) => runOnAws(pipeline, [...command, ...args], operator),
  };
}

/** The findings that doctor printed as JSON. */
export function findingsOf({ code, out }: Ran) {
  const found: readonly Finding[] = JSON.parse(out);
  const named = (check: string) => found.filter((one) => one.check === check);
  const at = (...levels: readonly Level[]) => found.filter(({ level }) => levels.includes(level));
  return { code, found, named, at, lines: (check: string) => named(check).map(lineOf) };
}

/** The SDK's own variables point the command at the emulator. */
async function runOnAws(pipeline: Pipeline, args: readonly string[], operator: Operator): Promise<Ran> {
  const { endpoint, credentials } = pipeline.cloud.places;
  const variables = jest.replaceProperty(process, "env", {
    ...process.env,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_MAX_ATTEMPTS: "1",
  });
  try {
    return await withSettings(operator.settings ?? US_SOURCE, () => runCommand([...args, "--region", REGION], operator));
  } finally {
    variables.restore();
  }
}

/** Nothing beyond loopback is asked, but Segment's settings, which the test answers. */
export async function withSettings<Result>(settings: Settings, act: () => Promise<Result>): Promise<Result> {
  const { fetch: original } = globalThis;
  const spy = jest.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const url = String(input);
    if (url.startsWith("http://127.0.0.1:")) return original(input, init);
    if (!/^https:\/\/cdn\.segment\.com\/v1\/projects\/[^/]+\/settings$/.test(url))
      throw new Error(`unexpected request of ${url}`);
    if (settings instanceof Error) throw settings;
    const { status, body = "{}", contentType = "application/json" } = settings;
    return new Response(body, { status, headers: { "content-type": contentType } });
  });
  return act().finally(() => spy.mockRestore());
}

/** A command that needs no pipeline. */
export async function runCommand(args: readonly string[], operator: Operator = {}): Promise<Ran> {
  const out: string[] = [];
  const progress: string[] = [];
  const questions: string[] = [];
  const { answer, types, interruptsAt, piped, cdkJson, environment = {} } = operator;
  const asked = (question: string) => {
    questions.push(question);
    if (interruptsAt !== undefined && question.startsWith(interruptsAt)) throw new InterruptedError();
  };
  const code = await run(args, {
    environment,
    print: (text) => out.push(text),
    progress: (text) => progress.push(text),
    confirm: async (question) => {
      asked(question);
      return typeof answer === "function" ? answer(question) : answer;
    },
    onInterrupt: () => () => {},
    input: {
      ask: async (question, kind) => {
        asked(`${question} (${kind})`);
        return types?.(question, kind);
      },
      piped: async () => piped,
      read: async (name) => (name === "cdk.json" && cdkJson !== undefined ? JSON.stringify(cdkJson) : undefined),
    },
  });
  return { code, out: out.join("\n"), progress: progress.join("\n"), questions };
}
