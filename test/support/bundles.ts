import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import cdkJson from "../../cdk.json";
import { bundle } from "../../infra/bundle";
import type { FunctionName } from "../../lambda/names";
import type { Environments, Handlers } from "../cloud/environments";

const ROOT = join(__dirname, "../..");

/** Runs the app as `cdk synth` does, without an account, credentials or a region. Returns what it printed and where it wrote. */
export function synthesize(environments: object) {
  const directory = mkdtempSync(join(tmpdir(), "cdk-out-"));
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_"));
  // The template linter takes six times as long as the synth.
  const unlinted = { ...cdkJson.context, "@aws-cdk/core:validateAgainstDefaultRules": false };
  const context = JSON.stringify({ ...unlinted, environments });
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "infra/app.ts"], {
    cwd: ROOT,
    env: { ...Object.fromEntries(kept), CDK_OUTDIR: directory, CDK_CONTEXT_JSON: context },
    encoding: "utf8",
  });
  return { status, output: stdout + stderr, directory };
}

/** Runs each bundle in its own process. `output` returns what they printed. */
export function hostBundles(environments: Environments): Handlers & { readonly output: () => string; stop(): Promise<void> } {
  const receive = new BundleHost("receive", environments.receive);
  const deliver = new BundleHost("deliver", environments.deliver);
  return {
    receive: (event, context) => receive.invoke(event, context),
    deliver: (event, { awsRequestId }) => deliver.invoke(event, { awsRequestId }),
    output: () => receive.output + deliver.output,
    stop: async () => {
      await Promise.all([receive.stop(), deliver.stop()]);
    },
  };
}

const directories = new Map<FunctionName, string>();

/** Bundles a function once per process, because the sources do not change during a run. */
function bundled(functionName: FunctionName): string {
  const directory = directories.get(functionName) ?? bundle(functionName).directory;
  directories.set(functionName, directory);
  return directory;
}

interface Reply {
  readonly id: number;
  readonly result: never;
  readonly error?: string;
}

/** Runs one bundle in its own process, as Lambda does. */
export class BundleHost {
  output = "";
  readonly child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  #invocations = 0;

  /** `bundle`: a function of this release, or the path of another bundle. `preload`: a module that is loaded before it. */
  constructor(bundle: FunctionName | `/${string}`, environment: Readonly<Record<string, string>>, preload?: string) {
    const path = bundle === "receive" || bundle === "deliver" ? join(bundled(bundle), "index.js") : bundle;
    this.child = fork(join(__dirname, "bundle-host.js"), [path], {
      silent: true,
      execArgv: preload === undefined ? [] : ["--require", preload],
      env: { PATH: process.env.PATH, ...environment },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.child.on("message", ({ id, result, error }: Reply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    this.#exited = new Promise((resolve) => {
      this.child.once("exit", (code) => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`exit ${code}: ${this.output}`));
        resolve();
      });
    });
  }

  /** The log entries. */
  get entries(): readonly Readonly<Record<string, unknown>>[] {
    return this.output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  invoke<Result>(event: unknown, context: object = { awsRequestId: "invocation" }): Promise<Result> {
    const id = this.#invocations++;
    return new Promise<never>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child.send({ id, event, context }, (error) => {
        if (error !== null) reject(new Error(`the bundle does not run: ${this.output}`, { cause: error }));
      });
    });
  }

  stop(): Promise<void> {
    this.child.kill("SIGKILL");
    return this.#exited;
  }
}
