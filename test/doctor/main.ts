import { startLocalCloud } from "../local/local-cloud";
import { captureOutput } from "../support/capture";
import { parseOptions, UsageError } from "../support/usage";
import { awsPatient } from "./aws";
import { diagnose } from "./checks";
import { localPatient } from "./local";
import type { Patient } from "./patient";

const USAGE = "usage: npm run doctor -- --stack FlagsmithToSegment-<environment> | --local";

async function main(): Promise<void> {
  const { values } = parseOptions(USAGE, { options: { stack: { type: "string" }, local: { type: "boolean" } } });
  if ((values.stack === undefined) === (values.local !== true)) throw new UsageError(USAGE);
  // The SDK warns of Node.js 20 in six lines.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  if (values.stack !== undefined) return report(awsPatient(values.stack));
  const capture = captureOutput((text) => !text.startsWith("{"));
  const cloud = await startLocalCloud({ port: 0, webhookSecret: "local-secret", writeKey: "local-write-key" });
  await report(localPatient(cloud, capture.lines));
  await cloud.stop();
  capture.end();
}

async function report(patient: Patient): Promise<void> {
  for await (const { check, ok, detail, fix } of diagnose(patient)) {
    console.log(`${ok ? "ok  " : "FAIL"}  ${check}: ${detail}${fix === undefined ? "" : ` -> ${fix}`}`);
    if (!ok) process.exitCode = 1;
  }
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
