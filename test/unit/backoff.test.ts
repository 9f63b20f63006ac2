import { askedDelay, BACKOFF, retryDelay } from "../../lambda/domain/backoff";
import { NOON } from "../support/builders";

const middle = () => 0.5;

describe("retryDelay", () => {
  it("doubles from 2 seconds up to 30 minutes", () => {
    const delays = [1, 2, 3, 4, 10, 11, 12, 100, 1_000].map((count) => retryDelay(count, middle));
    expect(delays).toEqual([2, 4, 8, 16, 1_024, 1_800, 1_800, 1_800, 1_800]);
  });

  it("varies by 20 % either way, in whole seconds, and never beyond the cap", () => {
    expect([0, 0.5, 1].map((random) => retryDelay(6, () => random))).toEqual([52, 64, 77]);
    expect([0, 0.5, 1].map((random) => retryDelay(20, () => random))).toEqual([1_440, 1_800, 1_800]);
  });

  it("waits for as long as Segment asks, but neither shorter than the schedule nor longer than the cap", () => {
    expect(retryDelay(1, middle, 7)).toBe(7);
    expect(retryDelay(1, middle, 6.2)).toBe(7);
    expect(retryDelay(8, middle, 1)).toBe(256);
    expect(retryDelay(1, middle, 86_400)).toBe(BACKOFF.cap);
  });

  it("takes a count that SQS did not give for the first", () => {
    expect(retryDelay(0, middle)).toBe(2);
  });
});

describe("askedDelay", () => {
  const inAMinute = new Date(NOON + 60_000).toUTCString();

  it.each<[string, Record<string, string>, number | undefined]>([
    ["seconds", { "retry-after": "7" }, 7],
    ["a date", { "retry-after": inAMinute }, 60],
    ["a date gone by", { "retry-after": new Date(NOON - 1).toUTCString() }, 0],
    ["a reset in seconds", { "x-ratelimit-reset": "12" }, 12],
    ["a reset at a time", { "x-ratelimit-reset": String(NOON / 1_000 + 30) }, 30],
    ["both: the longer", { "retry-after": "7", "x-ratelimit-reset": "12" }, 12],
    ["seconds of two who joined: the longer", { "retry-after": "7, 60" }, 60],
    ["a date beside seconds", { "retry-after": `7, ${inAMinute}, 8` }, 60],
    ["one of them only nonsense", { "retry-after": "soon", "x-ratelimit-reset": "3" }, 3],
    ["nonsense", { "retry-after": "-5" }, undefined],
    ["nothing", {}, undefined],
  ])("reads %s", (_, headers, expected) => {
    expect(askedDelay(new Map(Object.entries(headers)), NOON)).toBe(expected);
  });
});
