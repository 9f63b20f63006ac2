import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { join } from "node:path";

/** Runs a variant in its own process, under the given Node.js. */
export class VariantProcess {
  readonly #child: ChildProcess;
  #stderr = "";
  #fail: (error: Error) => void = () => {};

  constructor(node: string, bundle: string, environment: Readonly<Record<string, string>>) {
    this.#child = fork(join(__dirname, "child.js"), [bundle], {
      execPath: node,
      execArgv: ["--expose-gc"],
      env: environment,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    // The pipe is read, as Lambda does it: the figure includes the cost of writing log entries.
    this.#child.stdout?.resume();
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.#child.on("exit", (code) => this.#fail(new Error(`exit ${code}: ${this.#stderr}`)));
  }

  measure<Measured>(subject: string, input: object = {}): Promise<Measured> {
    return new Promise((resolve, reject) => {
      this.#child.once("message", ({ measured, error }: { readonly measured: Measured; readonly error?: string }) => {
        if (error === undefined) resolve(measured);
        else reject(new Error(error));
      });
      this.#fail = reject;
      this.#child.send({ subject, ...input });
    });
  }

  stop(): Promise<void> {
    this.#fail = () => {};
    return new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.kill("SIGKILL");
    });
  }
}

/** Finds Lambda's major version of Node.js. The npm package `node` provides it if this process runs another one. */
export function findNode24(): { readonly path: string; readonly version: string } {
  const path = process.versions.node.startsWith("24.")
    ? process.execPath
    : execFileSync("npx", ["--yes", "--package=node@24", "--", "node", "-p", "process.execPath"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
  return { path, version: execFileSync(path, ["-p", "process.version"], { encoding: "utf8" }).trim() };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}
