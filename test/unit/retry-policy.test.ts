import type { Failure } from "../../lambda/deliver/invocation";
import { countsForStreak, deadLetterReason, type FailedMessage, retryAfterSeconds } from "../../lambda/deliver/retry-policy";
import { UnreadableMessageError } from "../../lambda/errors";
import { DAY_SECONDS as DAY, HOUR_SECONDS as HOUR, MINUTE_SECONDS as MINUTE, RETRY_SECONDS } from "../../lambda/timing";
import { answered } from "../support/fakes";

const notAccepted = (status: number | undefined, askedSeconds?: number): Failure => {
  return { kind: "not-accepted", answer: answered(status, askedSeconds) };
};
const notAttempted = (askedSeconds: number): Failure => ({ kind: "not-attempted", why: "", askedSeconds });
const noWriteKey: Failure = { kind: "error", error: new Error() };
const unreadable: Failure = { kind: "unreadable", error: new UnreadableMessageError("a JSON object") };
const unknownVersion: Failure = { kind: "unknown-version" };

function message(overrides: Partial<FailedMessage> = {}): FailedMessage {
  return { failure: notAccepted(503), ageSeconds: 3 * HOUR, receiveCount: 50, merged: false, healthy: true, ...overrides };
}

const counts = (overrides: Partial<FailedMessage>) => countsForStreak(message(overrides), RETRY_SECONDS);
const reason = (overrides: Partial<FailedMessage>, streak = 0) => deadLetterReason(message(overrides), streak, RETRY_SECONDS);
const waitSeconds = (overrides: Partial<FailedMessage>, random = 0.5) => {
  return retryAfterSeconds(message(overrides), () => random, RETRY_SECONDS);
};

describe("a failure counts for the user's streak", () => {
  it.each([301, 400, 401, 403, 404, 413, 500, 501, 503, undefined])("with status %s", (status) => {
    expect(counts({ failure: notAccepted(status) })).toBe(true);
  });

  it.each<[string, Partial<FailedMessage>]>([
    ["it is a 408", { failure: notAccepted(408) }],
    ["it is a 429", { failure: notAccepted(429) }],
    ["it is not the endpoint's", { failure: noWriteKey }],
    ["nothing was attempted", { failure: notAttempted(0) }],
    ["the message is younger than three hours", { ageSeconds: 3 * HOUR - 1 }],
    ["the endpoint is not healthy", { healthy: false }],
  ])("unless %s", (_, overrides) => {
    expect(counts(overrides)).toBe(false);
  });
});

describe("a message is dead-lettered", () => {
  it.each<[string, Partial<FailedMessage>, number, string | undefined]>([
    ["isolated-failure at the fourth failure in a row", {}, 4, "isolated-failure"],
    ["not at the third", {}, 3, undefined],
    ["isolated-failure at each further failure", {}, 5, "isolated-failure"],
    ["expired at 12 days", { ageSeconds: 12 * DAY, healthy: false }, 0, "expired"],
    ["not before 12 days", { ageSeconds: 12 * DAY - 1, healthy: false }, 0, undefined],
    ["expired after a 429", { ageSeconds: 12 * DAY, failure: notAccepted(429) }, 0, "expired"],
    ["expired without a write key", { ageSeconds: 12 * DAY, failure: noWriteKey }, 0, "expired"],
    ["not if it was not attempted", { ageSeconds: 13 * DAY, failure: notAttempted(0) }, 0, undefined],
    ["not if it was merged", { ageSeconds: 13 * DAY, merged: true }, 4, undefined],
    ["unknown-version after an hour", { ageSeconds: HOUR, failure: unknownVersion }, 0, "unknown-version"],
    ["not before that hour", { ageSeconds: HOUR - 1, failure: unknownVersion }, 0, undefined],
    ["unreadable-message immediately", { ageSeconds: 0, failure: unreadable }, 0, "unreadable-message"],
  ])("%s", (_, overrides, streak, expected) => {
    expect(reason(overrides, streak)).toBe(expected);
  });
});

describe("a message is retried after", () => {
  it.each<[string, Partial<FailedMessage>, number]>([
    ["at least 2 s", { ageSeconds: 0 }, 2],
    ["half of its age", { ageSeconds: 40 }, 20],
    ["at most 1 minute while the endpoint is healthy", { ageSeconds: HOUR }, 60],
    ["at most 10 minutes otherwise", { ageSeconds: HOUR, healthy: false }, 600],
    ["at most 10 minutes after a 408, healthy or not", { ageSeconds: HOUR, failure: notAccepted(408) }, 600],
    ["at most 10 minutes after a 429, healthy or not", { ageSeconds: HOUR, failure: notAccepted(429) }, 600],
    ["half of its age without a write key", { ageSeconds: 40, failure: noWriteKey }, 20],
    ["what the answer asks for, 10 % later on average", { ageSeconds: 10, failure: notAccepted(503, 100) }, 110],
    ["its own time if that is longer", { ageSeconds: 400, failure: notAccepted(503, 100), healthy: false }, 200],
    ["30 minutes at most of what the answer asks for", { ageSeconds: 0, failure: notAccepted(429, DAY) }, 1_980],
    ["what another answer asked for, if it was not attempted", { failure: notAttempted(12.3) }, 13],
    ["at least 2 s if it was not attempted", { failure: notAttempted(0) }, 2],
    ["at most 1 minute if it was not attempted", { failure: notAttempted(DAY) }, MINUTE],
    ["a minute if its version is unknown", { failure: unknownVersion }, MINUTE],
    ["its own time at the 299th receive", { ageSeconds: HOUR, receiveCount: 299 }, 60],
    ["at least 30 minutes from the 300th receive on", { ageSeconds: HOUR, receiveCount: 300 }, 1_980],
    ["30 minutes then too if it was not attempted", { failure: notAttempted(0), receiveCount: 300 }, 1_800],
  ])("%s", (_, overrides, expected) => {
    expect(waitSeconds(overrides)).toBe(expected);
  });

  it.each<[string, Partial<FailedMessage>, readonly number[]]>([
    ["20 % more or less", { ageSeconds: 40 }, [16, 24]],
    ["up to 20 % more than the answer asks for", { ageSeconds: 0, failure: notAccepted(503, 100.5) }, [101, 121]],
  ])("%s", (_, overrides, expected) => {
    expect([0, 1].map((random) => waitSeconds(overrides, random))).toEqual(expected);
  });
});

/** Each retry as early as the jitter allows. */
it.each<[string, Failure]>([
  ["503", notAccepted(503)],
  ["429 that asks for 1 s", notAccepted(429, 1)],
  ["429 that asks for a day", notAccepted(429, DAY)],
  ["no write key", noWriteKey],
])("12 days of %s stay within the 1,000 receives of SQS", (_, failure) => {
  let receiveCount = 1;
  let ageSeconds = 0;
  while (reason({ failure, ageSeconds }) === undefined) {
    ageSeconds += waitSeconds({ failure, ageSeconds, receiveCount: receiveCount++ }, 0);
  }
  expect(reason({ failure, ageSeconds })).toBe("expired");
  expect(ageSeconds).toBeLessThan(13 * DAY);
  expect(receiveCount).toBeLessThanOrEqual(900);
});
