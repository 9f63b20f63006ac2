import { putParameterCommand } from "../contract";
import { AwsCallError, ParameterError } from "../domain/errors";
import { isJsonObject } from "../domain/json";
import type { AwsJson } from "./aws-json";

export interface ParametersOptions {
  readonly ssm: Pick<AwsJson, "call">;
  readonly now: () => number;
  /** Milliseconds that a value is used before it is read again. */
  readonly ttl: number;
  /** Milliseconds between two reads by `refresh`. */
  readonly refreshInterval: number;
  /** Milliseconds that an old value is used on after SSM failed to give a new one. */
  readonly stale: number;
  /** Told whenever that happens. */
  readonly onStale: (error: ParameterError) => void;
  /** What the operator puts into the parameter, for the remedy. */
  readonly placeholder: string;
  readonly region: string;
  /** Of the customer's own key, where the parameters have one. */
  readonly keyId: string | undefined;
}

interface Cached {
  readonly value: string;
  readonly expiresAt: number;
}

/**
 * SecureStrings of SSM Parameter Store, cached: SSM's default quota is 40 reads a second for a whole account and region. One
 * read is in flight per name, and a failure is never kept. While SSM is throttled, silent or shut, a value that was read once
 * stays in use: stale is better than lost. Only a parameter that is gone or empty was meant to be.
 */
export class Parameters {
  readonly #options: ParametersOptions;
  readonly #cached = new Map<string, Cached>();
  readonly #inFlight = new Map<string, Promise<string>>();
  readonly #refreshedAt = new Map<string, number>();

  constructor(options: ParametersOptions) {
    this.#options = options;
  }

  /** @throws ParameterError with the command that mends it. */
  async get(name: string, deadline?: number): Promise<string> {
    const cached = this.#cached.get(name);
    if (cached !== undefined && this.#options.now() < cached.expiresAt) return cached.value;
    return this.#load(name, deadline);
  }

  /**
   * The value as it is at SSM now, for when the cached one did not fit; within the refresh interval of the last such read, the
   * cached one.
   *
   * @throws ParameterError with the command that mends it.
   */
  async refresh(name: string, deadline?: number): Promise<string> {
    const now = this.#options.now();
    const last = this.#refreshedAt.get(name);
    if (last !== undefined && Math.abs(now - last) < this.#options.refreshInterval) {
      return this.#inFlight.get(name) ?? this.get(name, deadline);
    }
    this.#refreshedAt.set(name, now);
    return this.#load(name, deadline);
  }

  /** The command that puts a new value, with the same region and key. */
  remedy(name: string): string {
    const { placeholder, region, keyId } = this.#options;
    return putParameterCommand(name, placeholder, { region, ...(keyId === undefined ? {} : { keyId }) });
  }

  #load(name: string, deadline: number | undefined): Promise<string> {
    const running = this.#inFlight.get(name);
    if (running !== undefined) return running;
    const reading = this.#readOrStale(name, deadline).finally(() => this.#inFlight.delete(name));
    this.#inFlight.set(name, reading);
    return reading;
  }

  async #readOrStale(name: string, deadline: number | undefined): Promise<string> {
    try {
      return await this.#read(name, deadline);
    } catch (error) {
      const cached = this.#cached.get(name);
      if (!(error instanceof ParameterError) || cached === undefined) throw error;
      if (error.code !== "parameter-unreadable") {
        this.#cached.delete(name);
        throw error;
      }
      this.#cached.set(name, {
        value: cached.value,
        expiresAt: this.#options.now() + this.#options.stale,
      });
      this.#options.onStale(error);
      return cached.value;
    }
  }

  async #read(name: string, deadline: number | undefined): Promise<string> {
    const answer = await this.#call(name, deadline);
    const value = parameterValue(answer);
    if (value === undefined) throw this.#error(name, "parameter-unreadable");
    if (value.trim() === "") throw this.#error(name, "parameter-empty");
    this.#cached.set(name, { value, expiresAt: this.#options.now() + this.#options.ttl });
    return value;
  }

  async #call(name: string, deadline: number | undefined): Promise<unknown> {
    try {
      return await this.#options.ssm.call("GetParameter", { Name: name, WithDecryption: true }, deadline);
    } catch (error) {
      const missing = error instanceof AwsCallError && error.code === "ParameterNotFound";
      throw this.#error(name, missing ? "parameter-missing" : "parameter-unreadable", error);
    }
  }

  #error(name: string, code: ParameterError["code"], cause?: unknown): ParameterError {
    return new ParameterError(name, code, this.remedy(name), { cause });
  }
}

function parameterValue(answer: unknown): string | undefined {
  const parameter = isJsonObject(answer) ? answer.Parameter : undefined;
  const value = isJsonObject(parameter) ? parameter.Value : undefined;
  return typeof value === "string" ? value : undefined;
}
