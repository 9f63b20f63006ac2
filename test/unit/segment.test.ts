import { type AnswerCode, codeOfStatus, Segment } from "../../lambda/adapters/segment";
import { requestOf } from "../../lambda/experiments";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { callBody, NOON } from "../cloud/events";
import { type Behaviour, Loopback } from "../support/loopback";
import { machine } from "../support/machine";

let loopback: Loopback;

const call = parseIdentifyCall(callBody());

async function start(behaviour: Behaviour, path = "", now?: () => number): Promise<Segment> {
  let nowMs = NOON + 5;
  loopback = await Loopback.start(() => {
    nowMs += 7;
    return behaviour;
  });
  // Short only where the answer never ends: on a busy machine any other answer may take long.
  const endless = behaviour === "hang" || behaviour === "drip" || (typeof behaviour === "object" && behaviour.rest === "drips");
  return new Segment(
    loopback.url + path,
    machine({ now: now ?? (() => nowMs), timing: { segmentAttemptMs: endless ? 1_000 : 60_000 } }),
  );
}

afterEach(() => {
  jest.restoreAllMocks();
  return loopback.stop();
});

describe("an attempt at Segment", () => {
  it("sends the call with its time, and the write key as user of Basic auth", async () => {
    const segment = await start({ body: '{"success":true}' });
    const answer = { code: "accepted", status: 200, reason: "status 200", askedSeconds: undefined, elapsedMs: 7 };
    await expect(segment.send(call, [], "key")).resolves.toEqual(answer);
    const headers = {
      authorization: `Basic ${btoa("key:")}`,
      "content-type": "application/json",
      "user-agent": expect.stringMatching(/^flagsmith-to-segment\/\d+\.\d+\.\d+$/),
    };
    const body = JSON.stringify({ sentAt: "2026-11-23T12:00:00.005Z", ...JSON.parse(call.body) });
    expect(loopback.requests).toMatchObject([{ method: "POST", path: "/v1/identify", headers, body }]);
  });

  it("sends the call in a batch with its events", async () => {
    const events = ['{"type":"track"}'];
    await (await start({})).send(call, events, "key");
    expect(loopback.requests).toMatchObject([{ path: "/v1/batch", body: requestOf(call, events, NOON + 5).body }]);
  });

  it("has 8 s until the end of the answer", async () => {
    loopback = await Loopback.start(() => ({}));
    const timeout = jest.spyOn(globalThis, "setTimeout");
    await new Segment(loopback.url, machine()).send(call, [], "key");
    expect(timeout.mock.calls).toContainEqual([expect.any(Function), 8_000]);
  });

  it("returns how long the answer asks to wait", async () => {
    const segment = await start({ status: 429, headers: { "retry-after": "7", "x-ratelimit-reset": "9" } });
    await expect(segment.send(call, [], "key")).resolves.toMatchObject({ status: 429, askedSeconds: 9 });
  });

  it("keeps the path of the endpoint", async () => {
    await (await start({}, "/segment/")).send(call, [], "key");
    expect(loopback.requests[0]?.path).toBe("/segment/v1/identify");
  });

  it.each<[string, Behaviour, number]>([
    ["a redirect, which it does not follow", { status: 307, headers: { location: "/elsewhere" } }, 307],
    ["an answer whose body is cut off", { status: 404, rest: "breaks" }, 404],
    ["an answer whose body arrives byte by byte", { rest: "drips" }, 200],
    ["an answer with a body of 4 MB", { body: "x".repeat(4 * 1024 * 1024) }, 200],
  ])("returns the status of %s", async (_, behaviour, status) => {
    const segment = await start(behaviour);
    await expect(segment.send(call, [], "key")).resolves.toMatchObject({ status });
    expect(loopback.requests).toHaveLength(1);
  });

  it.each<[string, Behaviour, string]>([
    ["nothing", "hang", "timeout"],
    ["headers that arrive byte by byte", "drip", "timeout"],
    ["a reset", "reset", "UND_ERR_SOCKET"],
    ["an answer that is not HTTP", "garbage", "not-http"],
  ])("returns no-answer after %s", async (_, behaviour, reason) => {
    const segment = await start(behaviour);
    const answer = { code: "no-answer", status: undefined, reason, askedSeconds: undefined, elapsedMs: 7 };
    await expect(segment.send(call, [], "key")).resolves.toEqual(answer);
  });

  it.each([
    ["uses its connections again", 0, true],
    ["uses no connection again after a pause of 4 s, because the other end may have closed it", 4_000, false],
    ["uses no connection again after the clock went back, because the pause is not known", -1, false],
  ])("%s", async (_, pauseMs, again) => {
    let nowMs = NOON;
    const segment = await start({}, "", () => nowMs);
    // undici uses two connections by turns: one is still busy while its answer is handed over.
    for (let i = 0; i < 2; i++) await segment.send(call, [], "key");
    nowMs += pauseMs;
    await segment.send(call, [], "key");
    const [third, ...earlier] = loopback.requests.map(({ clientPort }) => clientPort).reverse();
    expect(earlier.includes(third)).toBe(again);
  });
});

it.each<[AnswerCode, readonly (number | undefined)[]]>([
  ["accepted", [200, 202]],
  ["endpoint-refused", [301, 307, 400, 401, 403, 404, 413, 499, 501, 505]],
  ["slow-down", [408, 429]],
  ["server-error", [500, 503]],
  ["no-answer", [600, undefined]],
])("the code %s is that of the statuses %j", (code, statuses) => {
  expect(statuses.map(codeOfStatus)).toEqual(statuses.map(() => code));
});
