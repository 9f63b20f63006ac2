import fc from "fast-check";
import { MAX_CALL_BYTES, parseIdentifyCall, toQueueText, withSentAt } from "../../lambda/identify-call";
import { MAX_MESSAGE_ID_LENGTH, toIdentifyCalls } from "../../lambda/receive/identify";
import { parsePythonJson } from "../../lambda/receive/python-json";
import { compileSelection } from "../../lambda/receive/selection";
import { sign, verifySignature } from "../../lambda/receive/signature";
import { toTraits } from "../../lambda/receive/traits";
import { MAX_CALL_TRAITS } from "../../lambda/split";
import { NOON } from "../cloud/events";
import { evaluationOf, identifyOptions } from "../support/fakes";
import { describeProperties } from "../support/seed";

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: "binary", maxLength: 50 });

describeProperties("a signature", () => {
  it("is right for its body and secret, and for no body that differs in one bit", () => {
    fc.assert(
      fc.property(bytes, text, fc.nat(), (body, secret, at) => {
        const header = sign(body, secret);
        expect(verifySignature(body, header, ["other", secret])).toBe(true);
        if (body.length === 0) return;
        const changed = Buffer.from(body);
        const index = at % body.length;
        changed[index] = (changed[index] ?? 0) ^ (1 << (at % 8));
        expect(verifySignature(changed, header, ["other", secret])).toBe(false);
      }),
    );
  });
});

describeProperties("JSON with safe integers", () => {
  it("is read as JSON.parse reads it", () => {
    const value = fc.jsonValue({ maxDepth: 8, noUnicodeString: false });
    fc.assert(
      fc.property(value, (expected) => {
        const json = JSON.stringify(expected);
        fc.pre(!/\d{16}/.test(json));
        expect(parsePythonJson(Buffer.from(json))).toEqual(JSON.parse(json));
      }),
    );
  });
});

describeProperties("a selection", () => {
  it("selects what the same pattern selects as a regular expression, in linear time", () => {
    const few = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b"), maxLength });
    const pattern = fc.array(fc.oneof(few(2), fc.constant("*")), { maxLength: 5 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(pattern, few(8), (glob, candidate) => {
        const expression = new RegExp(`^${glob.replaceAll("*", ".*")}$`);
        expect(compileSelection({ include: [glob] })(candidate)).toBe(expression.test(candidate));
        expect(compileSelection({ exclude: [glob] })(candidate)).toBe(!expression.test(candidate));
      }),
      { numRuns: 500 },
    );
    // A regular expression would take years for this pattern.
    expect(compileSelection({ include: [`${"*a".repeat(20)}b`] })("a".repeat(5_000))).toBe(false);
  });
});

const name = fc.oneof(text, fc.constantFrom("email", "__proto__", "🚩", "a")).filter((value) => value !== "");
const value = fc.oneof(
  fc.constantFrom(null, true, false, 0, ""),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  text,
  fc.nat({ max: 40_000 }).map((length) => "x".repeat(length)),
  fc.nat({ max: 10_000 }).map((length) => '🚩\uFFFF"'.repeat(length)),
);
const flags = fc.array(fc.record({ name, enabled: fc.boolean(), value }), { maxLength: 40 });
const options = fc.record({
  traitStyle: fc.constantFrom("flagsmith" as const, "typed" as const),
  traitPrefix: fc.constantFrom("", "ff_"),
});

describeProperties("an evaluation", () => {
  it("becomes calls within Segment's and SQS's limits that have each of its traits once", () => {
    fc.assert(
      fc.property(flags, name, text, options, (inputs, identity, requestId, chosen) => {
        const evaluation = evaluationOf({ identity, flags: inputs });
        const mapping = { ...identifyOptions, ...chosen };
        const receipt = { stackName: "FlagsmithToSegment-production", requestId, receivedAtMs: NOON };
        const { calls, cut } = toIdentifyCalls(evaluation, receipt, mapping);

        const arrived: [string, unknown][] = [];
        for (const call of calls) {
          const message = toQueueText(call.body);
          expect(message).toMatch(/^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u);
          const sent = withSentAt(parseIdentifyCall(message), NOON);
          expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(MAX_CALL_BYTES);
          const body = JSON.parse(sent);
          expect(body.userId).toBe(identity);
          expect(body.messageId.length).toBeLessThanOrEqual(MAX_MESSAGE_ID_LENGTH);
          const traits = Object.entries(body.traits);
          expect(traits.length).toBeLessThanOrEqual(MAX_CALL_TRAITS);
          arrived.push(...traits);
        }
        const cutNames = new Set(cut.map((trait) => trait.name));
        const expected = [...toTraits(evaluation, mapping).traits].map(([trait, { value: full, fallback }]) => [
          trait,
          cutNames.has(trait) ? fallback : full === 0 ? 0 : full, // JSON has no -0
        ]);
        expect(new Map(arrived)).toEqual(new Map(Object(expected)));
        expect(arrived).toHaveLength(expected.length);
        expect(new Set(calls.map(({ messageId }) => messageId)).size).toBe(calls.length);
      }),
    );
  });
});
