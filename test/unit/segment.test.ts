import { type AnswerCode, codeOfStatus, Segment } from "../../lambda/adapters/segment";
import { parseIdentifyCall } from "../../lambda/identify-call";
import { callBody, NOON } from "../cloud/events";
import { type Behaviour, Loopback } from "../support/loopback";
import { machine } from "../support/machine";

/** What one attempt comes to; what needs time and sockets is tested with the bundle. */
let loopback: Loopback;

const call = parseIdentifyCall(callBody());

async function start(behaviour: Behaviour | ((index: number) => Behaviour), path = ""): Promise<Segment> {
  loopback = await Loopback.start((_, index) => (typeof behaviour === "function" ? behaviour(index) : behaviour));
  return new Segment(loopback.url + path, machine({ now: () => NOON + 5, timing: { segmentAttemptMs: 200 } }));
}

afterEach(() => loopback.stop());

describe("Segment", () => {
  it("gets the call with the key as user of Basic auth, and the time of the attempt", async () => {
    const segment = await start({ body: '{"success":true}' });
    await expect(segment.send(call, [], "key")).resolves.toEqual({
      code: "accepted",
      status: 200,
      reason: "status 200",
      askedSeconds: undefined,
      elapsedMs: 0,
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
    await expect(segment.send(call, [], "key")).resolves.toMatchObject({ status: 429, askedSeconds: 9 });
  });

  it("keeps a path of the endpoint", async () => {
    await (await start({}, "/segment/")).send(call, [], "key");
    expect(loopback.requests[0]?.path).toBe("/segment/v1/identify");
  });

  it("follows no redirect", async () => {
    const segment = await start({ status: 307, headers: { location: "/elsewhere" } });
    await expect(segment.send(call, [], "key")).resolves.toMatchObject({ status: 307 });
    expect(loopback.requests).toHaveLength(1);
  });

  it.each<[string, Behaviour, string]>([
    ["silence", "hang", "timeout"],
    ["a reset", "reset", "UND_ERR_SOCKET"],
    ["no HTTP", "garbage", "not-http"],
  ])("takes %s for no answer", async (_, behaviour, reason) => {
    const segment = await start(behaviour);
    const answer = { code: "no-answer", status: undefined, reason, askedSeconds: undefined, elapsedMs: 0 };
    await expect(segment.send(call, [], "key")).resolves.toEqual(answer);
  });

  it("keeps a connection", async () => {
    const segment = await start({});
    for (let i = 0; i < 3; i++) await segment.send(call, [], "key");
    const [first, , third] = loopback.requests.map(({ clientPort }) => clientPort);
    // undici takes two by turns: one is still busy while its answer is handed over.
    expect(third).toBe(first);
  });
});

describe("the code of a status", () => {
  it.each<[number | undefined, AnswerCode]>([
    [200, "accepted"],
    [202, "accepted"],
    [301, "endpoint-refused"],
    [307, "endpoint-refused"],
    [400, "endpoint-refused"],
    [401, "endpoint-refused"],
    [403, "endpoint-refused"],
    [404, "endpoint-refused"],
    [408, "slow-down"],
    [413, "endpoint-refused"],
    [429, "slow-down"],
    [499, "endpoint-refused"],
    [500, "server-error"],
    [501, "endpoint-refused"],
    [503, "server-error"],
    [505, "endpoint-refused"],
    [600, "no-answer"],
    [undefined, "no-answer"],
  ])("%s is %s", (status, code) => {
    expect(codeOfStatus(status)).toBe(code);
  });
});
