import { startLocalCloud } from "../local/cloud";
import type { LogLine } from "../support/metric-filter";
import { parseOptions, UsageError } from "../support/usage";
import { awsPatient } from "./aws";
import { diagnose } from "./checks";
import { localPatient } from "./local";
import type { Patient } from "./patient";

const USAGE = "usage: npm run doctor -- --stack FlagsmithToSegment-<environment> | --local";

async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, {
    options: { stack: { type: "string" }, local: { type: "boolean" } },
  });
  if ((values.stack === undefined) === (values.local !== true)) throw new UsageError(USAGE);
  // The SDK warns of Node.js 20 in six lines.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  if (values.stack !== undefined) return report(awsPatient(values.stack));
  const lines: LogLine[] = [];
  const restore = keepLines(lines);
  const cloud = await startLocalCloud({
    port: 0,
    webhookSecret: "local-secret",
    writeKey: "local-write-key",
    load: async () => ({
      receive: (await import("../../lambda/receive.lambda")).handler,
      deliver: (await import("../../lambda/deliver.lambda")).handler,
    }),
  });
  await report(localPatient(cloud, () => lines));
  await cloud.stop();
  restore();
}

async function report(patient: Patient): Promise<void> {
  for await (const { check, ok, detail, mend } of diagnose(patient)) {
    console.log(`${ok ? "ok  " : "FAIL"}  ${check}: ${detail}${mend === undefined ? "" : ` -> ${mend}`}`);
    if (!ok) process.exitCode = 1;
  }
}

/** The functions' lines, kept from the terminal. */
function keepLines(lines: LogLine[]): () => void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk: unknown, ...rest: never[]) => {
    const text = String(chunk);
    if (!text.startsWith("{")) return write(text, ...rest);
    lines.push(JSON.parse(text));
    return true;
  };
  return () => {
    process.stdout.write = write;
  };
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
