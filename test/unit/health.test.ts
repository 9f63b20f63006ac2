import { Health } from "../../lambda/deliver/health";
import { RETRY_SECONDS } from "../../lambda/timing";
import { NOON } from "../cloud/events";

const MINUTE = 60_000;

interface Attempt {
  readonly accepted: boolean;
  readonly atMs?: number;
  readonly receiveCount?: number;
}

const accepted: Attempt = { accepted: true };
const failed: Attempt = { accepted: false };
const retried = (attempt: Attempt): Attempt => ({ ...attempt, receiveCount: 2 });
const agoMs = (ms: number, attempt: Attempt): Attempt => ({ ...attempt, atMs: NOON - ms });
const times = (count: number, attempt: Attempt) => Array.from({ length: count }, () => attempt);

const now = (accepted: boolean) => ({ accepted, atMs: NOON, receiveCount: 1 });

/** Attempts of other users, one each, and a failure of the user. */
function healthAfter(others: readonly Attempt[]): Health {
  const health = new Health(RETRY_SECONDS);
  for (const [index, other] of others.entries()) health.attempted(`other-${index}`, { ...now(true), ...other });
  health.attempted("user", now(false));
  return health;
}

describe("the endpoint", () => {
  it.each<[string, boolean, readonly Attempt[]]>([
    ["is not healthy without other users", false, []],
    ["is healthy if one other user's call was accepted", true, [accepted]],
    ["is not healthy if the only one failed", false, [failed]],
    ["is healthy if four of five were accepted", true, [...times(4, accepted), failed]],
    ["is not healthy if three of four were accepted", false, [...times(3, accepted), failed]],
    ["is not healthy if no first receive was accepted", false, times(5, retried(accepted))],
    ["ignores retries in the first share", true, [...times(4, accepted), ...times(2, retried(failed))]],
    ["is not healthy if over a third of all failed", false, [...times(4, accepted), ...times(3, retried(failed))]],
    ["counts attempts of less than ten minutes ago", true, [agoMs(10 * MINUTE - 1, accepted)]],
    ["ignores attempts of ten minutes ago", false, [agoMs(10 * MINUTE, accepted)]],
    ["ignores failures of ten minutes ago", true, [accepted, ...times(9, agoMs(10 * MINUTE, failed))]],
    ["ignores attempts from before the clock went back", false, [agoMs(-MINUTE, accepted)]],
  ])("%s", (_, expected, others) => {
    expect(healthAfter(others).isHealthyFor("user", NOON)).toBe(expected);
  });

  it("is judged by the latest attempt of each other user, not by the user's own", () => {
    const health = healthAfter([accepted]);
    health.attempted("user", now(true));
    health.attempted("other-0", now(false));
    expect(health.isHealthyFor("user", NOON)).toBe(false);
  });

  it("is judged by the last 1,000 users", () => {
    const health = healthAfter(times(1_000, failed));
    for (let i = 0; i < 1_000; i++) health.attempted(`newer-${i}`, now(true));
    expect(health.isHealthyFor("user", NOON)).toBe(true);
  });
});

describe("a streak", () => {
  it("counts a user's failures in a row, over those that do not count, until a call is accepted", () => {
    const health = healthAfter([]);
    expect([1, 2, 3].map((minute) => health.countFailure("user", NOON + minute * MINUTE))).toEqual([1, 2, 3]);
    health.attempted("user", now(false));
    expect(health.countFailure("user", NOON + 4 * MINUTE)).toBe(4);
    expect(health.countFailure("other", NOON)).toBe(1);
    health.attempted("user", now(true));
    expect(health.countFailure("user", NOON + 5 * MINUTE)).toBe(1);
  });

  it.each([
    ["begins anew after an hour", 60 * MINUTE, 1],
    ["goes on for less than an hour", 60 * MINUTE - 1, 2],
    ["begins anew if the clock went back", -1, 1],
  ])("%s", (_, laterMs, expected) => {
    const health = healthAfter([]);
    health.countFailure("user", NOON);
    expect(health.countFailure("user", NOON + laterMs)).toBe(expected);
  });

  it("is remembered for the last 10,000 users", () => {
    const health = healthAfter([]);
    health.countFailure("user", NOON);
    for (let i = 1; i < 10_000; i++) health.countFailure(`other-${i}`, NOON);
    expect(health.countFailure("user", NOON)).toBe(2);
    for (let i = 1; i < 10_000; i++) health.countFailure(`newer-${i}`, NOON);
    expect(health.countFailure("user", NOON)).toBe(3);
    for (let i = 0; i < 10_000; i++) health.countFailure(`newer-${i}`, NOON);
    expect(health.countFailure("user", NOON)).toBe(1);
  });
});

it("a user fails from an attempt that failed until one that is accepted", () => {
  const health = healthAfter([]);
  expect([health.isFailing("user"), health.isFailing("stranger")]).toEqual([true, false]);
  health.attempted("user", now(true));
  expect(health.isFailing("user")).toBe(false);
});

it("a user fails for as long as the streak is remembered, however many other users are attempted", () => {
  const health = healthAfter([]);
  health.countFailure("user", NOON);
  for (let i = 0; i < 2_000; i++) health.attempted(`other-${i}`, now(true));
  expect(health.isFailing("user")).toBe(true);
});
