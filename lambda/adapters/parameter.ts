import { type Actor, AwsCallError, ParameterError } from "../errors";
import { isJsonObject } from "../json";
import { createParameterCommand, PLACEHOLDERS } from "../names";
import { hasPassed, type Machine } from "../timing";
import type { AwsCall } from "./aws-call";

export interface ParameterOptions extends Machine {
  readonly ssm: Pick<AwsCall, "send">;
  readonly name: string;
  /** Text that replaces the value in a remedy. */
  readonly placeholder: string;
  /** The shortest time between two reads by `refresh`. */
  readonly refreshIntervalMs: number;
  readonly region: string;
  /** ARN of the customer-managed key, if the parameter has one. */
  readonly keyId: string | undefined;
  /** Called if the parameter could not be read again and its last value stays in use. */
  readonly onStale: (error: ParameterError) => void;
}

type Code = ParameterError["code"];

/** A parameter was deleted or emptied on purpose, so its last value is not used any more. */
const ENDS_USE: readonly Code[] = ["parameter-missing", "parameter-empty"];

/**
 * A SecureString of SSM Parameter Store. Values and read errors are cached, because SSM's default quota is 40 reads per second for a
 * whole account. While SSM fails, the last value stays in use: an old secret is better than a lost event.
 */
export class Parameter {
  /** The parameter's lines or the error, when they were read in milliseconds since 1970, and how long they are valid. */
  #known: { readonly result: readonly string[] | ParameterError; readonly sinceMs: number; readonly forMs: number } | undefined;
  #inFlight: Promise<readonly string[]> | undefined;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ParameterOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** The command that sets a new value, in the same region and with the same key. */
  get remedy(): string {
    return `${this.#createCommand} --overwrite`;
  }

  /**
   * Returns the lines of the parameter, at least one, without the blanks around them, which pasting adds. It may hold several secrets:
   * during a rotation the old and the new one are both accepted. @throws ParameterError with a remedy.
   */
  async get(deadlineMs?: number): Promise<readonly string[]> {
    const known = this.#known;
    if (known === undefined || hasPassed(known.sinceMs, this.options.now(), known.forMs)) return this.#load(deadlineMs);
    if (known.result instanceof ParameterError) throw known.result;
    return known.result;
  }

  /**
   * Reads the lines from SSM again, because the known ones did not match. Within the refresh interval after such a read it returns the
   * known ones. @throws ParameterError with a remedy.
   */
  async refresh(deadlineMs?: number): Promise<readonly string[]> {
    const now = this.options.now();
    if (!hasPassed(this.#refreshedAtMs, now, this.options.refreshIntervalMs)) return this.#inFlight ?? this.get(deadlineMs);
    this.#refreshedAtMs = now;
    return this.#load(deadlineMs);
  }

  #load(deadlineMs: number | undefined): Promise<readonly string[]> {
    this.#inFlight ??= this.#readOrStale(deadlineMs).finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #readOrStale(deadlineMs: number | undefined): Promise<readonly string[]> {
    const { now, random, timing, onStale } = this.options;
    const last = this.#known?.result;
    const isUsable = last !== undefined && !(last instanceof ParameterError);
    try {
      // If there is a last value, SSM must not use up the time that the caller needs for SQS.
      const result = await this.#read(isUsable ? undefined : deadlineMs);
      this.#known = { result, sinceMs: now(), forMs: timing.parameterTtlMs };
      return result;
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      if (!isUsable || ENDS_USE.includes(error.code)) {
        this.#known = { result: error, sinceMs: now(), forMs: timing.parameterFailureMs * (0.8 + 0.4 * random()) };
        throw error;
      }
      this.#known = { result: last, sinceMs: now(), forMs: timing.parameterStaleMs };
      onStale(error);
      return last;
    }
  }

  async #read(deadlineMs: number | undefined): Promise<readonly string[]> {
    const request = { Name: this.name, WithDecryption: true };
    const answer = await this.options.ssm.send("GetParameter", request, deadlineMs).catch((error: unknown) => {
      const missing = error instanceof AwsCallError && error.code === "ParameterNotFound";
      throw this.#error(missing ? "parameter-missing" : "parameter-unreadable", error);
    });
    const parameter = isJsonObject(answer) ? answer.Parameter : undefined;
    const value = isJsonObject(parameter) ? parameter.Value : undefined;
    if (typeof value !== "string") throw this.#error("parameter-unreadable");
    const lines = value.match(/\S(.*\S)?/g) ?? [];
    if (lines.length === 0) throw this.#error("parameter-empty");
    const secrets = lines.filter((line) => !Object.values<string>(PLACEHOLDERS).includes(line));
    if (secrets.length === 0) throw this.#error("parameter-placeholder");
    return secrets;
  }

  #error(code: Code, cause?: unknown): ParameterError {
    const actor = cause instanceof AwsCallError && code === "parameter-unreadable" ? cause.actor : "operator";
    const known = cause instanceof AwsCallError && code === "parameter-unreadable" ? cause.remedy : undefined;
    return new ParameterError(this.name, code, actor, known ?? this.#remedyOf(code, actor), { cause });
  }

  /** Setting the parameter again helps only if its value is wrong. */
  #remedyOf(code: Code, actor: Actor): string {
    if (code === "parameter-missing") return this.#createCommand;
    if (code !== "parameter-unreadable") return this.remedy;
    return actor === "aws"
      ? "wait; if it lasts, look at AWS's health page and at SSM's quota (setting high-throughput-enabled of Parameter Store)"
      : "check what the reason names: the parameter must be a SecureString, and the function's role must be allowed to read it and to use its key";
  }

  get #createCommand(): string {
    const { name, placeholder, region, keyId } = this.options;
    return createParameterCommand(name, `'${placeholder}'`, { region, keyId });
  }
}
