import type { SQSRecord } from "aws-lambda";
import { UnreadableMessageError } from "../domain/errors";
import { type IdentifyCall, parseIdentifyCall } from "../domain/identify";
import type { LogFields, Telemetry } from "../telemetry";
import { environmentOf } from "./dead-letter";
import { type Batch, Delivery, type DeliveryDependencies } from "./delivery";
import { type Attempt, Outcome } from "./outcome";

export interface AttemptDependencies extends DeliveryDependencies {
  readonly telemetry: Telemetry;
}

/** One message, once. Never throws: whatever goes wrong, the message stays in the queue. */
export async function attempt(deps: AttemptDependencies, record: SQSRecord, batch: Batch): Promise<Attempt> {
  const receiveCount = Number(record.attributes.ApproximateReceiveCount);
  const recorder = deps.telemetry.recorder({
    requestId: batch.requestId,
    attempt: receiveCount,
    environment: environmentOf(record),
  });
  const outcome = new Outcome(deps, recorder, receiveCount);
  const delivery = new Delivery(deps, record, batch, outcome);
  try {
    const call = parseIdentifyCall(record.body);
    outcome.about(describe(call), Date.parse(call.timestamp));
    return await delivery.run(call);
  } catch (error) {
    if (error instanceof UnreadableMessageError) {
      return delivery.bury({ messageId: record.messageId, reason: error.code }, error);
    }
    return outcome.retry("message stays in the queue", {}, { error });
  }
}

function describe({ messageId, identity: userId, traitCount, body }: IdentifyCall): LogFields {
  return { messageId, userId, traitCount, bytes: Buffer.byteLength(body) };
}
