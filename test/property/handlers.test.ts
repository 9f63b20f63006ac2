import fc from "fast-check";
import { sign } from "../../lambda/domain/signature";
import { deliverHandler } from "../../lambda/handlers/deliver";
import { receiveHandler } from "../../lambda/handlers/receive";
import { createTelemetry } from "../../lambda/telemetry";
import { TIMING } from "../../lambda/timing";
import {
  bytesOf,
  identifyOptions,
  NOON,
  queueEvent,
  queueRecord,
  SECRET,
  webhookEvent,
} from "../support/builders";
import { answered, FakeParameters, FakeQueue, FakeSegment, RecordingTelemetry } from "../support/fakes";
import { describeProperties } from "../support/seed";

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
          fc.constantFrom(
            "flags",
            "feature",
            "name",
            "enabled",
            "feature_state_value",
            "event_type",
            "HIDDEN",
          ),
          tie("node"),
        ),
      ),
    })).node;
    const body = fc.oneof(
      shape,
      fc.record({ identity: fc.constant("user"), flags: shape }),
      fc.record({
        identity: fc.constant("user"),
        flags: fc.array(
          fc.record({
            enabled: fc.boolean(),
            feature: fc.constant({ name: "f" }),
            feature_state_value: shape,
          }),
        ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(body, hidden, hidden, fc.boolean(), async (payload, marker, secret, signed) => {
        const bytes = bytesOf(JSON.stringify(payload).replaceAll("HIDDEN", marker));
        const lines: unknown[] = [];
        const write = (...line: readonly unknown[]) =>
          void lines.push(line.map(String), JSON.stringify(line));
        const handler = receiveHandler({
          config: {
            stackName: "stack",
            webhookSecretParameter: "/secret",
            identify: identifyOptions,
            reading: { traits: true, segments: true },
          },
          parameters: new FakeParameters({ "/secret": secret }),
          queue: new FakeQueue(),
          telemetry: createTelemetry({
            functionName: "receive",
            logUserId: "plain",
            sampling: 1,
            random: () => 0,
            log: { info: write, warn: write, error: write },
          }),
          now: () => NOON,
          budget: 6_000,
        });
        const signature = sign(bytes, signed ? secret : SECRET);
        const event = webhookEvent({ body: bytes, signature });
        const response = await handler(event, { awsRequestId: "invocation" });
        expect(signed ? [200, 202, 400] : [401]).toContain(response.statusCode);
        const told = JSON.stringify([response, lines]);
        expect(lines).toHaveLength(2);
        for (const secretText of [marker, secret, signature, sign(bytes, secret)])
          expect(told).not.toContain(secretText);
      }),
    );
  });
});

describeProperties("deliver", () => {
  const message = fc.record({
    identity: fc.constantFrom("a", "b", "c"),
    status: fc.constantFrom(200 as const, 200 as const, 400 as const, 401 as const, 500 as const),
    delay: fc.nat({ max: 3 }),
  });

  it("reports exactly each identity's first failure and what is behind it, and tries those in order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 10 }), async (messages) => {
        const segment = new FakeSegment(async ({ messageId }) => {
          const { delay = 0, status = 200 } = messages[Number(messageId)] ?? {};
          for (let turn = 0; turn < delay; turn++) await null;
          return answered(status);
        });
        const deadLetters = new FakeQueue();
        const handler = deliverHandler({
          config: { writeKeyParameter: "/key", dryRun: false },
          parameters: new FakeParameters({ "/key": "key" }),
          segment,
          changes: undefined,
          queue: new FakeQueue(),
          deadLetters,
          telemetry: new RecordingTelemetry(),
          now: () => NOON,
          random: Math.random,
          timing: TIMING,
        });
        const records = messages.map(({ identity }, index) =>
          queueRecord({ id: `sqs-${index}`, identity, messageId: String(index) }),
        );
        const { batchItemFailures } = await handler(queueEvent(...records), {
          awsRequestId: "invocation",
          getRemainingTimeInMillis: () => TIMING.deliverFunction,
        });

        const kept = messages.flatMap(({ identity }, index) => {
          const failedBefore = messages
            .slice(0, index + 1)
            .some((other) => other.identity === identity && (other.status === 500 || other.status === 401));
          return failedBefore ? [index] : [];
        });
        const reported = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort();
        expect(reported).toEqual(kept.map((index) => `sqs-${index}`).sort());

        const rejected = messages.flatMap(({ status }, index) =>
          status === 400 && !kept.includes(index) ? [String(index)] : [],
        );
        expect(deadLetters.sent.map(({ attributes }) => attributes.messageId).sort()).toEqual(rejected);
        for (const identity of ["a", "b", "c"]) {
          const tried = segment.calls.filter(({ call }) => call.identity === identity);
          const order = tried.map(({ call }) => Number(call.messageId));
          expect(order).toEqual([...order].sort((one, other) => one - other));
        }
      }),
    );
  });
});
