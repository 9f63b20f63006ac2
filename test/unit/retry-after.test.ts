import { askedDelay } from "../../lambda/adapters/retry-after";
import { NOON } from "../cloud/events";

describe("askedDelay", () => {
  const inAMinute = new Date(NOON + 60_000).toUTCString();

  it.each<[string, Record<string, string | string[]>, number | undefined]>([
    ["seconds", { "retry-after": "7" }, 7],
    ["a date", { "retry-after": inAMinute }, 60],
    ["a date gone by", { "retry-after": new Date(NOON - 1).toUTCString() }, 0],
    ["a reset in seconds", { "x-ratelimit-reset": "12" }, 12],
    ["a reset at a time, in seconds", { "x-ratelimit-reset": String(NOON / 1_000 + 30) }, 30],
    ["a reset at a time, in milliseconds", { "x-ratelimit-reset": String(NOON + 30_000) }, 30],
    ["both: the longer", { "retry-after": "7", "x-ratelimit-reset": "12" }, 12],
    ["seconds of two proxies: the longer", { "retry-after": "7, 60" }, 60],
    ["a header that came twice: the longer", { "retry-after": ["7", "60"] }, 60],
    ["a date beside seconds", { "retry-after": `7, ${inAMinute}, 8` }, 60],
    ["one of them only nonsense", { "retry-after": "soon", "x-ratelimit-reset": "3" }, 3],
    ["nonsense", { "retry-after": "-5" }, undefined],
    ["nothing", {}, undefined],
  ])("reads %s", (_, headers, expected) => {
    expect(askedDelay(headers, NOON)).toBe(expected);
  });
});
