import { type Actor, AwsCallError, ParameterError } from "../errors";
import { isJsonObject } from "../json";
import { createParameterCommand, PLACEHOLDERS } from "../names";
import type { Machine } from "../timing";
import type { AwsCall } from "./aws-call";

export interface ParameterReaderOptions extends Machine {
  readonly ssm: Pick<AwsCall, "send">;
  /** Milliseconds between two reads by `refresh`. */
  readonly refreshInterval: number;
  /** Called whenever a parameter could not be read again and its last value stays in use. */
  readonly onStale: (error: ParameterError) => void;
  /** What stands for the value in a remedy. */
  readonly placeholder: (typeof PLACEHOLDERS)[keyof typeof PLACEHOLDERS];
  readonly region: string;
  /** The ARN of the customer's own key, where the parameters have one. */
  readonly keyId: string | undefined;
}

type Code = ParameterError["code"];

/** The lines of a parameter, or why there are none, for as long as that counts. */
interface Known {
  readonly result: readonly string[] | ParameterError;
  readonly until: number;
}

/** A parameter that is gone or empty was meant to be: its last value is not used any more. */
const ENDS_USE: ReadonlySet<Code> = new Set(["parameter-missing", "parameter-empty"]);

const NO_SECRETS: ReadonlySet<string> = new Set(Object.values(PLACEHOLDERS));

/**
 * SecureStrings of SSM Parameter Store, cached: SSM's default quota is 40 reads per second for a whole account and region. One
 * read is in flight per name, and a failure is kept for a second. While SSM is throttled, silent or down, a value that was read
 * once stays in use: an old secret is better than a lost event.
 */
export class ParameterReader {
  readonly #options: ParameterReaderOptions;
  readonly #known = new Map<string, Known>();
  readonly #inFlight = new Map<string, Promise<readonly string[]>>();
  readonly #refreshedAt = new Map<string, number>();

  constructor(options: ParameterReaderOptions) {
    this.#options = options;
  }

  /**
   * The lines of the parameter, at least one: it may hold several secrets, so that the old and the new one are both accepted in
   * a rotation. Blank lines, and blanks around a secret, come from pasting and are dropped.
   *
   * @throws ParameterError with what fixes it.
   */
  async get(name: string, deadline?: number): Promise<readonly string[]> {
    const known = this.#known.get(name);
    if (known === undefined || this.#options.now() >= known.until) return this.#load(name, deadline);
    if (known.result instanceof ParameterError) throw known.result;
    return known.result;
  }

  /**
   * The lines as they are at SSM now, for when the known ones did not match. Within the refresh interval of the last such read,
   * the known ones.
   *
   * @throws ParameterError with what fixes it.
   */
  async refresh(name: string, deadline?: number): Promise<readonly string[]> {
    const now = this.#options.now();
    const last = this.#refreshedAt.get(name);
    if (last !== undefined && Math.abs(now - last) < this.#options.refreshInterval) {
      return this.#inFlight.get(name) ?? this.get(name, deadline);
    }
    this.#refreshedAt.set(name, now);
    return this.#load(name, deadline);
  }

  /** The command that sets a new value, in the same region and with the same key. */
  remedy(name: string): string {
    return `${this.#create(name)} --overwrite`;
  }

  #create(name: string): string {
    const { placeholder, region, keyId } = this.#options;
    return createParameterCommand(name, `'${placeholder}'`, { region, keyId });
  }

  #load(name: string, deadline: number | undefined): Promise<readonly string[]> {
    const running = this.#inFlight.get(name);
    if (running !== undefined) return running;
    const reading = this.#readOrStale(name, deadline).finally(() => this.#inFlight.delete(name));
    this.#inFlight.set(name, reading);
    return reading;
  }

  async #readOrStale(name: string, deadline: number | undefined): Promise<readonly string[]> {
    const { now, random, timing, onStale } = this.#options;
    try {
      const lines = await this.#read(name, deadline);
      this.#known.set(name, { result: lines, until: now() + timing.parameterTtl });
      return lines;
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      const last = this.#known.get(name)?.result;
      if (Array.isArray(last) && !ENDS_USE.has(error.code)) {
        this.#known.set(name, { result: last, until: now() + timing.parameterStale });
        onStale(error);
        return last;
      }
      this.#known.set(name, { result: error, until: now() + timing.parameterFailure * (0.8 + 0.4 * random()) });
      throw error;
    }
  }

  async #read(name: string, deadline: number | undefined): Promise<readonly string[]> {
    const { ssm } = this.#options;
    const answer = await ssm.send("GetParameter", { Name: name, WithDecryption: true }, deadline).catch((error) => {
      const missing = error instanceof AwsCallError && error.code === "ParameterNotFound";
      throw this.#error(name, missing ? "parameter-missing" : "parameter-unreadable", error);
    });
    const parameter = isJsonObject(answer) ? answer.Parameter : undefined;
    const value = isJsonObject(parameter) ? parameter.Value : undefined;
    if (typeof value !== "string") throw this.#error(name, "parameter-unreadable");
    const lines = value.split("\n").map((line) => line.trim());
    const filled = lines.filter((line) => line !== "");
    if (filled.length === 0) throw this.#error(name, "parameter-empty");
    const secrets = filled.filter((line) => !NO_SECRETS.has(line));
    if (secrets.length === 0) throw this.#error(name, "parameter-placeholder");
    return secrets;
  }

  #error(name: string, code: Code, cause?: unknown): ParameterError {
    const actor = cause instanceof AwsCallError && code === "parameter-unreadable" ? cause.actor : "operator";
    return new ParameterError(name, code, actor, this.#remedyOf(name, code, actor), { cause });
  }

  /** Setting the parameter again helps only where its value is what is wrong. */
  #remedyOf(name: string, code: Code, actor: Actor): string {
    if (code === "parameter-missing") return this.#create(name);
    if (code !== "parameter-unreadable") return this.remedy(name);
    return actor === "aws"
      ? "wait; if it lasts: AWS's health, and SSM's quota (setting high-throughput-enabled of Parameter Store)"
      : "deploy the stack again, which restores the function's role; with a key of your own, check its policy and kmsKeyArn";
  }
}
