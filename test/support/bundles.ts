import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import cdkJson from "../../cdk.json";
import { ENV } from "../../lambda/contract";
import type { Handlers } from "../local/cloud";

const ROOT = join(__dirname, "../..");

export interface Bundles {
  /** Directory of each function's asset. */
  readonly receive: string;
  readonly deliver: string;
  remove(): void;
}

/** What `cdk synth` prints and makes of these environments, with no account, no credentials and no region. */
export function cdkSynth(environments: object): {
  readonly status: number | null;
  readonly output: string;
  readonly directory: string;
} {
  const directory = mkdtempSync(join(tmpdir(), "cdk-out-"));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "node_modules/aws-cdk/bin/cdk"), "synth", "--quiet", "--output", directory],
    {
      cwd: projectWith(environments, directory),
      env: synthEnvironment(),
      encoding: "utf8",
    },
  );
  return { status, output: stdout + stderr, directory };
}

/** Without an account, nor what an npx around it was told, which the npx inside would take for its own. */
export function synthEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AWS_|npm_config_)/.test(name));
  return Object.fromEntries(kept);
}

/** The same app under a `cdk.json` with other environments; the command line could pass them as text only. */
function projectWith(environments: object, directory: string): string {
  const app = `node --import ${pathToFileURL(require.resolve("tsx"))} ${join(ROOT, "infra/app.ts")}`;
  const project = { ...cdkJson, app, context: { ...cdkJson.context, environments } };
  writeFileSync(join(directory, "cdk.json"), JSON.stringify(project));
  return directory;
}

/** The two bundles that `cdk deploy` would upload. */
export function synthesizeBundles(): Bundles {
  const { status, output, directory } = cdkSynth({ production: {} });
  if (status !== 0) {
    rmSync(directory, { recursive: true });
    throw new Error(output);
  }
  const template = JSON.parse(
    readFileSync(join(directory, "FlagsmithToSegment-production.template.json"), "utf8"),
  );
  const functions = Object.values(template.Resources)
    .map((resource) => Object(resource))
    .filter(({ Type: type }) => type === "AWS::Lambda::Function");
  const assetOf = (variable: string) => {
    const found = functions.find(
      ({
        Properties: {
          Environment: { Variables },
        },
      }) => variable in Variables,
    );
    return join(directory, `asset.${String(found?.Properties.Code.S3Key).replace(".zip", "")}`);
  };
  return {
    receive: assetOf(ENV.webhookSecretParameter),
    deliver: assetOf(ENV.writeKeyParameter),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** Both bundles in processes of their own, with the environment of this one; `output` gets what they print. */
export function hostBundles(
  bundles: Bundles,
): Handlers & { readonly output: () => string; stop(): Promise<void> } {
  const receive = new Host(bundles.receive);
  const deliver = new Host(bundles.deliver);
  return {
    receive: (event, context) => receive.invoke(event, context),
    deliver: (event, { awsRequestId }) => deliver.invoke(event, { awsRequestId }),
    output: () => receive.output + deliver.output,
    stop: async () => {
      await Promise.all([receive.stop(), deliver.stop()]);
    },
  };
}

type Reply = { readonly id: number; readonly result: never; readonly error?: string };

class Host {
  output = "";
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  #invocations = 0;

  constructor(directory: string) {
    this.#child = fork(join(__dirname, "bundle-host.js"), [join(directory, "index.js")], {
      silent: true,
      execArgv: [],
      env: process.env, // the test runner's, which is not the one a child would inherit
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.#child.on("message", ({ id, result, error }: Reply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code) => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`exit ${code}: ${this.output}`));
        resolve();
      });
    });
  }

  invoke<Result>(event: object, context: object): Promise<Result> {
    const id = this.#invocations++;
    return new Promise<never>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, event, context }, (error) => {
        if (error !== null) reject(new Error(`the bundle does not run: ${this.output}`, { cause: error }));
      });
    });
  }

  stop(): Promise<void> {
    this.#child.kill();
    return this.#exited;
  }
}
