import { askedDelay } from "../../lambda/adapters/retry-after";
import { NOON } from "../cloud/events";

describe("what an answer asks to wait", () => {
  const inAMinute = new Date(NOON + 60_000).toUTCString();

  it.each<[string, Record<string, string | string[]>, number | undefined]>([
    ["seconds", { "retry-after": "7" }, 7],
    ["seconds with a fraction", { "retry-after": "7.5" }, 7.5],
    ["a date", { "retry-after": inAMinute }, 60],
    ["a date in the past", { "retry-after": new Date(NOON - 1).toUTCString() }, 0],
    ["a reset in seconds", { "x-ratelimit-reset": "12" }, 12],
    ["a reset at a time, in seconds", { "x-ratelimit-reset": String(NOON / 1_000 + 30) }, 30],
    ["a reset at a time, in milliseconds", { "x-ratelimit-reset": String(NOON + 30_000) }, 30],
    ["both headers, the longer", { "retry-after": "7", "x-ratelimit-reset": "12" }, 12],
    ["seconds of two proxies, the longer", { "retry-after": "7, 60" }, 60],
    ["a header that is there twice, the longer", { "retry-after": ["7", "60"] }, 60],
    ["a date beside seconds", { "retry-after": `7, ${inAMinute}, 8` }, 60],
    ["the other header if one is not valid", { "retry-after": "soon", "x-ratelimit-reset": "3" }, 3],
    ["nothing if the header is not valid", { "retry-after": "-5" }, undefined],
    ["nothing without headers", {}, undefined],
  ])("is read from %s", (_, headers, expected) => {
    expect(askedDelay(headers, NOON)).toBe(expected);
  });
});
