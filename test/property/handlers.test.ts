import fc from "fast-check";
import { deliverHandler } from "../../lambda/deliver/deliver";
import { createLog } from "../../lambda/log";
import { TIMING } from "../../lambda/timing";
import { callBody, queueEvent, queueRecord } from "../cloud/events";
import { captureOutput } from "../support/capture";
import { deliverDependencies } from "../support/deliver";
import { answered, FakeSegment } from "../support/fakes";
import { describeProperties } from "../support/seed";

const CONTEXT = { awsRequestId: "invocation", getRemainingTimeInMillis: () => TIMING.deliverFunctionMs };

describeProperties("deliver", () => {
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
});
