import { readFileSync } from "node:fs";
import { join } from "node:path";
import { firstLine, postSigned } from "../../infra/cli/send";
import type { LocalCloud } from "./local-cloud";
import type { Settings } from "./settings";
import type { View } from "./view";

const SAMPLE = join(__dirname, "../support/fixtures/02-multivariate.json");
/** Milliseconds to wait for the sample's outcome. This is longer than two attempts at Segment take. */
const PATIENCE_MS = 20_000;

/** Sends a body that was recorded from Flagsmith, and waits until its first outcome is shown. */
export async function sendSample(cloud: LocalCloud, { webhookSecret }: Settings, view: View): Promise<void> {
  const shown = new Set<unknown>();
  // The outcome may be shown before the answer is read.
  let onShown = () => {};
  const end = view.onOutcome(({ messageId }) => {
    shown.add(messageId);
    onShown();
  });
  try {
    const { status, body } = await postSigned(cloud.webhookUrl, readFileSync(SAMPLE), firstLine(webhookSecret));
    if (status !== 202 || cloud.controlPlane.state.eventSource === "Disabled") return;
    const { messageId } = JSON.parse(body);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS);
      onShown = () => {
        if (!shown.has(messageId)) return;
        clearTimeout(timer);
        resolve();
      };
      onShown();
    });
  } finally {
    end();
  }
}
