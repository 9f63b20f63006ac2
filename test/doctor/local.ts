import type { LocalCloud } from "../local/cloud";
import type { LogLine } from "../support/metric-filter";
import type { Patient } from "./checks";

/** A local cloud; `log` = the lines that its functions wrote so far. */
export function localPatient(cloud: LocalCloud, log: () => readonly LogLine[]): Patient {
  return {
    stackName: cloud.stackName,
    settingsUrl: cloud.sinkUrl,
    pause: () => new Promise((resolve) => setTimeout(resolve, 20)),
    outputs: async () => ({
      WebhookUrl: cloud.webhookUrl,
      QueueUrl: cloud.queue.url,
      DeadLetterQueueUrl: cloud.deadLetterQueue.url,
    }),
    parameter: async (name) => cloud.parameters.get(name),
    lines: async (messageId) => log().filter((line) => line.messageId === messageId),
  };
}
