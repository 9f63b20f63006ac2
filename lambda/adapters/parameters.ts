import { AwsCallError, ParameterError } from "../errors";
import { isJsonObject } from "../json";
import { setParameterCommand } from "../names";
import type { Machine } from "../timing";
import type { AwsCall } from "./aws-call";

export interface ParameterReaderOptions extends Pick<Machine, "now" | "timing"> {
  readonly ssm: Pick<AwsCall, "send">;
  /** Milliseconds between two reads by `refresh`. */
  readonly refreshInterval: number;
  /** Called whenever SSM did not give a parameter again and its last value stays in use. */
  readonly onStale: (error: ParameterError) => void;
  /** What the operator sets the parameter to, for the remedy. */
  readonly placeholder: string;
  readonly region: string;
  /** The ARN of the customer's own key, where the parameters have one. */
  readonly keyId: string | undefined;
}

interface Cached {
  readonly lines: readonly string[];
  readonly expiresAt: number;
}

/**
 * SecureStrings of SSM Parameter Store, cached: SSM's default quota is 40 reads per second for a whole account and region. One
 * read is in flight per name, and a failure is not kept. While SSM is throttled, silent or down, a value that was read once stays
 * in use: an old secret is better than a lost event. Only a parameter that is gone or empty is not used on, because that was meant.
 */
export class ParameterReader {
  readonly #options: ParameterReaderOptions;
  readonly #cached = new Map<string, Cached>();
  readonly #inFlight = new Map<string, Promise<readonly string[]>>();
  readonly #refreshedAt = new Map<string, number>();

  constructor(options: ParameterReaderOptions) {
    this.#options = options;
  }

  /**
   * The lines of the parameter, at least one: it may hold several secrets, so that the old and the new one are both accepted in
   * a rotation. Blank lines, and blanks around a secret, come from pasting and are dropped.
   *
   * @throws ParameterError with the command that fixes it.
   */
  async get(name: string, deadline?: number): Promise<readonly string[]> {
    const cached = this.#cached.get(name);
    if (cached !== undefined && this.#options.now() < cached.expiresAt) return cached.lines;
    return this.#load(name, deadline);
  }

  /**
   * The lines as they are at SSM now, for when the cached ones did not match. Within the refresh interval of the last such read,
   * the cached ones.
   *
   * @throws ParameterError with the command that fixes it.
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

  /** The command that sets a new value, with the same region and key. */
  remedy(name: string): string {
    const { placeholder, region, keyId } = this.#options;
    return setParameterCommand(name, placeholder, { region, keyId });
  }

  #load(name: string, deadline: number | undefined): Promise<readonly string[]> {
    const running = this.#inFlight.get(name);
    if (running !== undefined) return running;
    const reading = this.#readOrStale(name, deadline).finally(() => this.#inFlight.delete(name));
    this.#inFlight.set(name, reading);
    return reading;
  }

  async #readOrStale(name: string, deadline: number | undefined): Promise<readonly string[]> {
    const { now, timing, onStale } = this.#options;
    try {
      const lines = await this.#read(name, deadline);
      this.#cached.set(name, { lines, expiresAt: now() + timing.parameterTtl });
      return lines;
    } catch (error) {
      const cached = this.#cached.get(name);
      if (!(error instanceof ParameterError) || cached === undefined) throw error;
      if (error.code !== "parameter-unreadable") {
        this.#cached.delete(name);
        throw error;
      }
      this.#cached.set(name, { lines: cached.lines, expiresAt: now() + timing.parameterStale });
      onStale(error);
      return cached.lines;
    }
  }

  async #read(name: string, deadline: number | undefined): Promise<readonly string[]> {
    const fault = (code: ParameterError["code"], cause?: unknown) =>
      new ParameterError(name, code, this.remedy(name), { cause });
    const { ssm } = this.#options;
    const answer = await ssm.send("GetParameter", { Name: name, WithDecryption: true }, deadline).catch((error) => {
      const missing = error instanceof AwsCallError && error.code === "ParameterNotFound";
      throw fault(missing ? "parameter-missing" : "parameter-unreadable", error);
    });
    const parameter = isJsonObject(answer) ? answer.Parameter : undefined;
    const value = isJsonObject(parameter) ? parameter.Value : undefined;
    if (typeof value !== "string") throw fault("parameter-unreadable");
    const lines = value
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    if (lines.length === 0) throw fault("parameter-empty");
    return lines;
  }
}
