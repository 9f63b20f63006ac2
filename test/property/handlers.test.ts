import { inspect } from "node:util";
import fc from "fast-check";
import { deliverHandler } from "../../lambda/deliver/deliver";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { createLog } from "../../lambda/log";
import { parseEvaluation } from "../../lambda/receive/evaluation";
import { receiveHandler } from "../../lambda/receive/receive";
import { sign } from "../../lambda/receive/signature";
import { TIMING } from "../../lambda/timing";
import { bytesOf, callBody, NOON, queueEvent, queueRecord, SECRET, webhookEvent } from "../cloud/events";
import { captureOutput } from "../support/capture";
import { deliverDependencies } from "../support/deliver";
import { answered, FakeParameter, FakeQueue, FakeSegment, identifyOptions } from "../support/fakes";
import { describeProperties } from "../support/seed";

/** All that is in an error, causes and hidden fields included; "" if there is none. */
function thrownBy(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return inspect(error, { depth: 20, showHidden: true, maxStringLength: Number.POSITIVE_INFINITY });
  }
}

describeProperties("receive", () => {
  // Long enough that no path, name or number of a line holds it by chance.
  const hidden = fc.string({ minLength: 12, maxLength: 20, unit: fc.constantFrom(..."ABCDEFGHJK") });

  it("tells neither log nor sender the body, the secret or a signature, whatever shape the body has", async () => {
    const shape = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom("HIDDEN", null, 1, true, "user"),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom("flags", "feature", "name", "enabled", "feature_state_value", "event_type", "HIDDEN"),
          tie("node"),
        ),
      ),
    })).node;
    const body = fc.oneof(
      shape,
      fc.record({ identity: fc.constant("user"), flags: shape }),
      fc.record({
        identity: fc.constant("user"),
        flags: fc.array(fc.record({ enabled: fc.boolean(), feature: fc.constant({ name: "f" }), feature_state_value: shape })),
      }),
    );
    // One in two is cut off somewhere, and so is no JSON.
    const whole = fc.option(fc.nat({ max: 99 }), { freq: 1, nil: undefined });
    await fc.assert(
      fc.asyncProperty(body, whole, hidden, hidden, fc.boolean(), async (payload, cut, marker, secret, signed) => {
        const text = JSON.stringify(payload).replaceAll("HIDDEN", marker);
        const bytes = bytesOf(cut === undefined ? text : `${text.slice(0, cut)}${marker}`);
        const handler = receiveHandler({
          stackName: "stack",
          mapping: identifyOptions,
          reasonToSkip: () => undefined,
          secret: new FakeParameter([secret]),
          queue: new FakeQueue(),
          log: createLog({ functionName: "receive", logUserId: "plain", lambdaLogLevel: undefined }),
          now: () => NOON,
          budgetMs: 6_000,
        });
        const capture = captureOutput();
        const signature = sign(bytes, signed ? secret : SECRET);
        const event = webhookEvent({ body: bytes, signature });
        const response = await handler(event, { awsRequestId: "invocation" });
        capture.end();
        expect(signed ? [200, 202, 400] : [401]).toContain(response.statusCode);
        const told = JSON.stringify(response) + capture.text();
        expect(capture.lines()).toHaveLength(1);
        for (const secretText of [marker, secret, signature, sign(bytes, secret)]) expect(told).not.toContain(secretText);
        // Whoever prints an error prints what it holds: its causes, and its fields.
        expect(thrownBy(() => parseEvaluation(bytes))).not.toContain(marker);
        expect(thrownBy(() => parseIdentifyCall(bytes.toString()))).not.toContain(marker);
      }),
    );
  });
});

const CONTEXT = { awsRequestId: "invocation", getRemainingTimeInMillis: () => TIMING.deliverFunctionMs };

describeProperties("deliver", () => {
  const message = fc.record({
    identity: fc.constantFrom("a", "b", "c"),
    status: fc.constantFrom(200, 200, 400, 401, 500, undefined),
    delay: fc.nat({ max: 3 }),
  });

  it("tells neither the log nor anybody else a trait's value, whatever Segment answers", async () => {
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

  it("reports exactly each person's first failure and what is behind it, and tries those in order", async () => {
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
        // All are new: nothing is moved yet.
        expect(deadLetterQueue.sent).toEqual([]);
        for (const identity of ["a", "b", "c"]) {
          const tried = segment.calls.filter(({ call }) => call.identity === identity);
          const order = tried.map(({ call }) => Number(call.messageId));
          expect(order).toEqual([...order].sort((one, other) => one - other));
        }
      }),
    );
  });
});
