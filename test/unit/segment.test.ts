import { Segment } from "../../lambda/adapters/segment";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { TIMING } from "../../lambda/timing";
import { callBody, NOON } from "../cloud/events";
import { type Behaviour, Loopback } from "../support/loopback";

/** What one attempt comes to; what needs time and sockets is tested with the bundle. */
let loopback: Loopback;

const call = parseIdentifyCall(callBody());
const timing = { ...TIMING, segmentAttempt: 200, segmentSlowAttempt: 60_000 };

async function start(behaviour: Behaviour | ((index: number) => Behaviour), path = ""): Promise<Segment> {
  loopback = await Loopback.start((_, index) => (typeof behaviour === "function" ? behaviour(index) : behaviour));
  return new Segment(loopback.url + path, { now: () => NOON + 5, timing });
}

afterEach(() => loopback.stop());

describe("Segment", () => {
  it("gets the call with the key as user of Basic auth, and the time of the attempt", async () => {
    const segment = await start({ body: '{"success":true}' });
    await expect(segment.identify(call, "key", "kept")).resolves.toEqual({
      status: 200,
      reason: "status 200",
      retryAfter: undefined,
      elapsed: 0,
    });
    expect(loopback.requests).toMatchObject([
      {
        method: "POST",
        path: "/v1/identify",
        headers: {
          authorization: `Basic ${btoa("key:")}`,
          "content-type": "application/json",
          "user-agent": expect.stringMatching(/^flagsmith-to-segment\/\d+\.\d+\.\d+$/),
        },
        body: JSON.stringify({ sentAt: "2026-11-23T12:00:00.005Z", ...JSON.parse(call.body) }),
      },
    ]);
  });

  it("says how long an answer asks to wait", async () => {
    const segment = await start({ status: 429, headers: { "retry-after": "7", "x-ratelimit-reset": "9" } });
    await expect(segment.identify(call, "key", "kept")).resolves.toMatchObject({ status: 429, retryAfter: 9 });
  });

  it("keeps a path of the endpoint", async () => {
    await (await start({}, "/segment/")).identify(call, "key", "kept");
    expect(loopback.requests[0]?.path).toBe("/segment/v1/identify");
  });

  it("follows no redirect", async () => {
    const segment = await start({ status: 307, headers: { location: "/elsewhere" } });
    await expect(segment.identify(call, "key", "kept")).resolves.toMatchObject({ status: 307 });
    expect(loopback.requests).toHaveLength(1);
  });

  it.each<[string, Behaviour, string]>([
    ["silence", "hang", "timeout"],
    ["a reset", "reset", "UND_ERR_SOCKET"],
    ["no HTTP", "garbage", "not-http"],
  ])("takes %s for no answer", async (_, behaviour, reason) => {
    const segment = await start(behaviour);
    const answer = { status: undefined, reason, retryAfter: undefined, elapsed: 0 };
    await expect(segment.identify(call, "key", "kept")).resolves.toEqual(answer);
  });

  it("keeps a connection, and makes a fresh one where it is told to", async () => {
    const segment = await start({});
    for (const connection of ["kept", "kept", "kept", "fresh"] as const) await segment.identify(call, "key", connection);
    const ports = loopback.requests.map(({ clientPort }) => clientPort);
    // undici takes two by turns: one is still busy while its answer is handed over.
    expect(ports[2]).toBe(ports[0]);
    expect(ports.slice(0, 3)).not.toContain(ports[3]);
  });

  it("has more time after a time-out, until a call was fast", async () => {
    const segment = await start((index) => (index === 0 || index === 3 ? "hang" : index === 1 ? { delay: 400 } : {}));
    const statuses: unknown[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await segment.identify(call, "key", "kept")).status);
    expect(statuses).toEqual([undefined, 200, 200, undefined]);
  });
});
