import { type Actor, AwsCallError, ParameterError } from "../errors";
import { isJsonObject } from "../json";
import { createParameterCommand, PLACEHOLDERS } from "../names";
import type { Machine } from "../timing";
import type { AwsCall } from "./aws-call";

export interface ParameterOptions extends Machine {
  readonly ssm: Pick<AwsCall, "send">;
  readonly name: string;
  /** What stands for the value in a remedy. */
  readonly placeholder: string;
  /** Milliseconds between two reads by `refresh`. */
  readonly refreshInterval: number;
  readonly region: string;
  /** ARN of the customer's own key, where the parameter has one. */
  readonly keyId: string | undefined;
  /** Called whenever the parameter could not be read again and its last value stays in use. */
  readonly onStale: (error: ParameterError) => void;
}

type Code = ParameterError["code"];

/** A parameter that is gone or empty was meant to be: its last value is not used any more. */
const ENDS_USE: readonly Code[] = ["parameter-missing", "parameter-empty"];

/**
 * A SecureString of SSM Parameter Store, cached, and a failure to read it as well: SSM's default quota is 40 reads per second for
 * a whole account. While SSM fails, a value that was read once stays in use: an old secret is better than a lost event.
 */
export class Parameter {
  /** The lines, or why there are none, until a point in time in milliseconds since 1970. */
  #known: { readonly result: readonly string[] | ParameterError; readonly until: number } | undefined;
  #inFlight: Promise<readonly string[]> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ParameterOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** The command that sets a new value, in the same region and with the same key. */
  get remedy(): string {
    return `${this.#createCommand} --overwrite`;
  }

  /**
   * The lines of the parameter, at least one; blanks around them come from pasting and are dropped. It may hold several secrets,
   * so that the old and the new one are both accepted in a rotation. @throws ParameterError with what fixes it.
   */
  async get(deadline?: number): Promise<readonly string[]> {
    const known = this.#known;
    if (known === undefined || this.options.now() >= known.until) return this.#load(deadline);
    if (known.result instanceof ParameterError) throw known.result;
    return known.result;
  }

  /**
   * The lines as they are at SSM now, for when the known ones did not match; the known ones within the refresh interval of the
   * last such read. @throws ParameterError with what fixes it.
   */
  async refresh(deadline?: number): Promise<readonly string[]> {
    const now = this.options.now();
    if (Math.abs(now - this.#refreshedAt) < this.options.refreshInterval) return this.#inFlight ?? this.get(deadline);
    this.#refreshedAt = now;
    return this.#load(deadline);
  }

  #load(deadline: number | undefined): Promise<readonly string[]> {
    this.#inFlight ??= this.#readOrStale(deadline).finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #readOrStale(deadline: number | undefined): Promise<readonly string[]> {
    const { now, random, timing, onStale } = this.options;
    const last = this.#known?.result;
    const isUsable = last !== undefined && !(last instanceof ParameterError);
    try {
      // Where the last value will do, SSM must not use up the time that the caller needs for SQS.
      const result = await this.#read(isUsable ? undefined : deadline);
      this.#known = { result, until: now() + timing.parameterTtl };
      return result;
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      if (!isUsable || ENDS_USE.includes(error.code)) {
        this.#known = { result: error, until: now() + timing.parameterFailure * (0.8 + 0.4 * random()) };
        throw error;
      }
      this.#known = { result: last, until: now() + timing.parameterStale };
      onStale(error);
      return last;
    }
  }

  async #read(deadline: number | undefined): Promise<readonly string[]> {
    const request = { Name: this.name, WithDecryption: true };
    const answer = await this.options.ssm.send("GetParameter", request, deadline).catch((error: unknown) => {
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
    return new ParameterError(this.name, code, actor, this.#remedyOf(code, actor), { cause });
  }

  /** Setting the parameter again helps only where its value is what is wrong. */
  #remedyOf(code: Code, actor: Actor): string {
    if (code === "parameter-missing") return this.#createCommand;
    if (code !== "parameter-unreadable") return this.remedy;
    return actor === "aws"
      ? "wait; if it lasts: AWS's health, and SSM's quota (setting high-throughput-enabled of Parameter Store)"
      : "deploy the stack again, which restores the function's role; with a key of your own, check its policy and kmsKeyArn";
  }

  get #createCommand(): string {
    const { name, placeholder, region, keyId } = this.options;
    return createParameterCommand(name, `'${placeholder}'`, { region, keyId });
  }
}
