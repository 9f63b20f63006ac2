import { isDeepStrictEqual } from "node:util";
import type { Arrived } from "./loopback-cloud";

/** What a variant must have answered and delivered. Otherwise its figure is worthless. */
export interface Wanted {
  /** Fields of its last answer. */
  readonly answer: Readonly<Record<string, unknown>>;
  readonly messages?: number;
  readonly calls?: number;
  /** @default - not checked */
  readonly traits?: object;
}

/** @throws Error if the variant did not do the work that is measured. */
export function check(variant: string, result: unknown, arrived: Arrived, wanted: Wanted): void {
  for (const [name, value] of Object.entries(wanted.answer)) {
    if (!isDeepStrictEqual(Object(result)[name], value)) throw new Error(`${variant} answered ${JSON.stringify(result)}`);
  }
  const { messages = 0, calls = 0, traits } = wanted;
  if (arrived.messages !== messages || arrived.calls !== calls)
    throw new Error(`${variant}: ${arrived.messages} messages and ${arrived.calls} calls came, not ${messages} and ${calls}`);
  if (traits !== undefined && !isDeepStrictEqual(arrived.traits(), traits))
    throw new Error(`${variant} delivers other traits: ${JSON.stringify(arrived.traits())}`);
}
