import { DEFAULT_PORT } from "../../infra/cli/command";
import { DEFAULT_SECRET } from "../../infra/cli/send";
import { optionError } from "../../infra/option-checks";
import type { Options } from "../../lambda/options";
import { LOOPBACK } from "../cloud/server";
import type { Arguments } from "./arguments";

export interface Settings {
  readonly port: number;
  /** Address that the webhook listens at. */
  readonly host: string;
  readonly webhookSecret: string;
  readonly writeKey: string;
  readonly segmentEndpoint: string | undefined;
  readonly sample: boolean;
  /** undefined = as in `cdk.json`. */
  readonly forward: Options["forward"];
  /** Flags of experiments; undefined = as in `cdk.json`. */
  readonly experiments: Options["experiments"];
}

/** An environment variable has a value that can't be used. The message is for the user at the terminal. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const DEFAULT_WRITE_KEY = "local-write-key";
/** Listen to this machine only, or to every machine that reaches it, for example to a Flagsmith in Docker. */
const HOSTS = [LOOPBACK, "0.0.0.0"];

/** @throws SettingsError for the first value that is wrong or contradicts the arguments. */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  { demo, segmentMode }: Pick<Arguments, "demo" | "segmentMode"> = { demo: false, segmentMode: undefined },
): Settings {
  const {
    PORT,
    HOST = LOOPBACK,
    FLAGSMITH_WEBHOOK_SECRET,
    SEGMENT_ENDPOINT,
    SEGMENT_WRITE_KEY,
    SAMPLE,
    FORWARD,
    EXPERIMENTS,
  } = environment;
  const wrong =
    optionError("SEGMENT_ENDPOINT", "segmentEndpoint", SEGMENT_ENDPOINT) ?? optionError("FORWARD", "forward", FORWARD);
  if (wrong !== undefined) throw new SettingsError(wrong);
  const experiments = EXPERIMENTS?.split(",").map((name) => name.trim());
  if (experiments !== undefined) {
    const refused = optionError("EXPERIMENTS", "experiments", experiments);
    if (refused !== undefined) throw new SettingsError(refused);
    if (FORWARD !== "changes") throw new SettingsError("EXPERIMENTS: it needs FORWARD=changes");
  }
  const isElsewhere = SEGMENT_ENDPOINT !== undefined && !/^https?:\/\/(localhost|127\.|\[::1\])/.test(SEGMENT_ENDPOINT);
  if (isElsewhere && SEGMENT_WRITE_KEY === undefined) {
    throw new SettingsError("SEGMENT_WRITE_KEY: needed with SEGMENT_ENDPOINT, which answers 200 to any key");
  }
  const forEmbedded = segmentMode !== undefined ? "--segment" : demo && isElsewhere ? "--demo" : undefined;
  if (SEGMENT_ENDPOINT !== undefined && forEmbedded !== undefined) {
    throw new SettingsError(`${forEmbedded}: allowed with the embedded Segment alone, without SEGMENT_ENDPOINT`);
  }
  if (!HOSTS.includes(HOST)) {
    throw new SettingsError(
      `HOST: allowed is ${HOSTS[0]}, or ${HOSTS[1]} for every address of this machine; got ${JSON.stringify(HOST)}`,
    );
  }
  if (SAMPLE !== undefined && SAMPLE !== "on" && SAMPLE !== "off") {
    throw new SettingsError(`SAMPLE: allowed is on or off; got ${JSON.stringify(SAMPLE)}`);
  }
  return {
    port: readPort(PORT),
    host: HOST,
    webhookSecret: readText("FLAGSMITH_WEBHOOK_SECRET", FLAGSMITH_WEBHOOK_SECRET, DEFAULT_SECRET),
    writeKey: readText("SEGMENT_WRITE_KEY", SEGMENT_WRITE_KEY, DEFAULT_WRITE_KEY),
    segmentEndpoint: SEGMENT_ENDPOINT,
    // The sample's user must not appear at the real Segment by default.
    sample: isElsewhere ? SAMPLE === "on" : SAMPLE !== "off",
    forward: FORWARD as Options["forward"], // checked above
    experiments,
  };
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new SettingsError(`PORT: allowed is 0 to 65535, 0 for any; got ${JSON.stringify(text)}`);
  return port;
}

function readText(name: string, text: string | undefined, fallback: string): string {
  const value = text ?? fallback;
  if (value.trim() === "") throw new SettingsError(`${name}: must not be empty`);
  return value;
}
