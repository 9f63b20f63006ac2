import fc from "fast-check";
import { deliverHandler } from "../../lambda/deliver/deliver";
import { createLog } from "../../lambda/log";
import { TIMING } from "../../lambda/timing";
import { callBody, queueEvent, queueRecord } from "../cloud/events";
import { captureOutput } from "../support/capture";
import { deliverDependencies } from "../support/deliver";
import { answered, FakeQueue, FakeSegment } from "../support/fakes";
import { describeProperties } from "../support/seed";

const CONTEXT = { awsRequestId: "invocation", getRemainingTimeInMillis: () => TIMING.deliverFunctionMs };

describeProperties("deliver", () => {
  const message = fc.record({
    identity: fc.constantFrom("a", "b", "c"),
    status: fc.constantFrom(200, 200, 400, 401, 500, undefined),
    delay: fc.nat({ max: 3 }),
  });

  it("writes no trait value to the log or the result, whatever Segment answers", async () => {
    const marker = "MARKERMARKER";
    const odd = fc.constantFrom(marker, `{"userId":"${marker}`, JSON.stringify({ userId: marker, traits: marker }));
    const good = fc.constant(callBody({ traits: { [`flag-${marker}`]: marker } }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(good, odd), fc.constantFrom(200, 400, 403, 500, undefined), async (body, status) => {
        const log = createLog({ functionName: "deliver", logUserId: "plain", lambdaLogLevel: undefined });
        const handler = deliverHandler(deliverDependencies({ segment: new FakeSegment(async () => answered(status)), log }));
        const capture = captureOutput();
        const result = await handler(queueEvent(queueRecord({ body })), CONTEXT);
        capture.end();
        expect(capture.lines()).toHaveLength(1);
        expect(capture.text() + JSON.stringify(result)).not.toContain(marker);
      }),
    );
  });

  it("reports exactly each user's first failure and the messages behind it, and attempts are in order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 10 }), async (messages) => {
        const segment = new FakeSegment(async ({ messageId }) => {
          const { delay = 0, status } = messages[Number(messageId)] ?? {};
          for (let turn = 0; turn < delay; turn++) await null;
          return answered(status);
        });
        const deadLetterQueue = new FakeQueue();
        const handler = deliverHandler(deliverDependencies({ segment, deadLetterQueue, mergeBacklog: false }));
        const records = messages.map(({ identity }, index) =>
          queueRecord({ id: `sqs-${index}`, identity, messageId: String(index) }),
        );
        const { batchItemFailures } = await handler(queueEvent(...records), CONTEXT);

        const kept = messages.flatMap(({ identity }, index) => {
          const until = messages.slice(0, index + 1);
          return until.some((other) => other.identity === identity && other.status !== 200) ? [index] : [];
        });
        const reported = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort();
        expect(reported).toEqual(kept.map((index) => `sqs-${index}`).sort());
        // All are new, so nothing is dead-lettered.
        expect(deadLetterQueue.sent).toEqual([]);
        for (const identity of ["a", "b", "c"]) {
          const attempted = segment.calls.filter(({ call }) => call.identity === identity);
          const order = attempted.map(({ call }) => Number(call.messageId));
          expect(order).toEqual([...order].sort((one, other) => one - other));
        }
      }),
    );
  });
});
