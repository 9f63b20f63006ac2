import { createParameterCommand } from "../../lambda/names";
import type { LocalCloud } from "../local/local-cloud";
import type { LogLine } from "../support/capture";
import type { Patient } from "./patient";

/** A local cloud; `log` = the lines that its functions wrote so far. */
export function localPatient(cloud: LocalCloud, log: () => readonly LogLine[]): Patient {
  const { webhookSecret, writeKey } = cloud.parameterNames;
  return {
    stackName: cloud.stackName,
    settingsUrl: cloud.segmentUrl,
    patience: 5_000,
    pause: () => new Promise((resolve) => setTimeout(resolve, 20)),
    outputs: async () => ({
      WebhookUrl: cloud.webhookUrl,
      QueueUrl: cloud.queue.url,
      DeadLetterQueueUrl: cloud.deadLetterQueue.url,
      CreateWebhookSecret: createParameterCommand(webhookSecret, "…"),
      CreateWriteKey: createParameterCommand(writeKey, "…"),
    }),
    parameter: async (name) => cloud.ssm.get(name),
    lines: async (messageId) => log().filter((line) => line.messageId === messageId),
  };
}
