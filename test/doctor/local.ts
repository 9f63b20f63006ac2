import { putParameterCommand, SECRET_PLACEHOLDER, WRITE_KEY_PLACEHOLDER } from "../../lambda/contract";
import type { LocalCloud } from "../local/cloud";
import type { LogLine } from "../support/metric-filter";
import type { Patient } from "./patient";

/** A local cloud; `log` = the lines that its functions wrote so far. */
export function localPatient(cloud: LocalCloud, log: () => readonly LogLine[]): Patient {
  const { webhookSecret, writeKey } = cloud.parameterNames;
  return {
    stackName: cloud.stackName,
    settingsUrl: cloud.sinkUrl,
    patience: 5_000,
    pause: () => new Promise((resolve) => setTimeout(resolve, 20)),
    outputs: async () => ({
      WebhookUrl: cloud.webhookUrl,
      QueueUrl: cloud.queue.url,
      DeadLetterQueueUrl: cloud.deadLetterQueue.url,
      PutWebhookSecret: putParameterCommand(webhookSecret, SECRET_PLACEHOLDER),
      PutWriteKey: putParameterCommand(writeKey, WRITE_KEY_PLACEHOLDER),
    }),
    parameter: async (name) => cloud.parameters.get(name),
    lines: async (messageId) => log().filter((line) => line.messageId === messageId),
  };
}
