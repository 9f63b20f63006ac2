import { DEFAULT_PORT } from "../../infra/cli/command";
import { DEFAULT_SECRET, firstLine } from "../../infra/cli/send";
import { LOOPBACK } from "../cloud/server";
import type { LocalCloud } from "./local-cloud";
import type { Settings } from "./settings";

/** Shown once, after the first dead letter. */
export const REDRIVE = "  sends dead letters again:  npm run dead-letters -- --local --redrive";

/** Lists where everything is. */
export function places(cloud: LocalCloud, settings: Settings): string {
  const embedded = settings.segmentEndpoint === undefined ? ` (embedded, ${cloud.segment.mode})` : "";
  const secrets = settings.webhookSecret.split(/\r?\n/).join(", ");
  return [
    `${cloud.stackName}, with the options of cdk.json`,
    `  secret        ${secrets}`,
    `  segment       ${cloud.segmentEndpoint}${embedded}`,
    `  queues        ${new URL(".", cloud.queue.url)}`,
    ...[cloud.queue, cloud.deadLetterQueue].map(({ url }) => `                ${url.split("/").at(-1)}`),
    ...(settings.host === LOOPBACK ? [] : [`  listens at    ${settings.host}, so other machines reach the webhook`]),
  ].join("\n");
}

/** Lists what the user can do next. */
export function invitation(cloud: LocalCloud, { webhookSecret, segmentEndpoint }: Settings, hasKeys: boolean): string {
  const { port } = new URL(cloud.webhookUrl);
  const at = Number(port) === DEFAULT_PORT ? "" : `PORT=${port} `;
  const secret = firstLine(webhookSecret);
  const signed = secret === DEFAULT_SECRET ? "" : ` --secret ${quote(secret)}`;
  const mode = segmentEndpoint === undefined ? "s: next mode of Segment, " : "";
  return [
    "from another terminal:",
    `  ${at}npm run send -- --flag checkout=b --as ann${signed}`,
    `  ${at}npm run trace -- --local ann`,
    `  ${at}npm run doctor -- --local`,
    ...(segmentEndpoint === undefined && !hasKeys
      ? [`  curl -X POST '${new URL("/segment?mode=slow", cloud.webhookUrl)}'`]
      : []),
    hasKeys ? `keys: ${mode}r: the sample again, Ctrl-C: end` : "Ctrl-C ends it",
  ].join("\n");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
