import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import cdkJson from "../../cdk.json";
import { bundle } from "../../infra/bundle";
import type { FunctionName } from "../../lambda/names";
import type { Environments, Handlers } from "../cloud/environments";

const ROOT = join(__dirname, "../..");

/** Runs `cdk synth` for these environments, without an account, credentials or a region. Returns what it printed and where it wrote. */
export function cdkSynth(environments: object): {
  readonly status: number | null;
  readonly output: string;
  readonly directory: string;
} {
  const directory = mkdtempSync(join(tmpdir(), "cdk-out-"));
  const cdk = join(ROOT, "node_modules/aws-cdk/bin/cdk");
  const { status, stdout, stderr } = spawnSync(process.execPath, [cdk, "synth", "--quiet", "--output", directory], {
    cwd: projectWith(environments, directory),
    env: synthEnvironment(),
    encoding: "utf8",
  });
  return { status, output: stdout + stderr, directory };
}

/** The environment variables without AWS's, and without the settings of an outer npx, which an inner npx would use. */
export function synthEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AWS_|npm_config_)/.test(name));
  return Object.fromEntries(kept);
}

/** Writes a `cdk.json` for the same app with other environments. The command line can pass them only as text. */
function projectWith(environments: object, directory: string): string {
  const app = `node --import ${pathToFileURL(require.resolve("tsx"))} ${JSON.stringify(join(ROOT, "infra/app.ts"))}`;
  const project = { ...cdkJson, app, context: { ...cdkJson.context, environments } };
  writeFileSync(join(directory, "cdk.json"), JSON.stringify(project));
  return directory;
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
