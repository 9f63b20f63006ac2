import { createServer } from "node:net";
import { Segment, verdictOf } from "../../lambda/adapters/segment";
import { parseIdentifyCall } from "../../lambda/domain/identify";
import { callBody, NOON } from "../support/builders";
import { type Behaviour, Loopback } from "../support/loopback";

let loopback: Loopback;
let segment: Segment;

async function start(
  behaviour: Behaviour | ((index: number) => Behaviour),
  path = "",
  connections = 2,
): Promise<void> {
  loopback = await Loopback.start((_, index) =>
    typeof behaviour === "function" ? behaviour(index) : behaviour,
  );
  segment = new Segment({ ...options, endpoint: loopback.url + path, connections });
}

const options = { connections: 2, attemptTimeout: 200, connectTimeout: 200, now: () => NOON + 5 };

const call = parseIdentifyCall(callBody());

describe("Segment", () => {
  afterEach(async () => {
    await segment.close();
    await loopback.stop();
  });

  it("posts the call with the key as user of Basic auth, and the time of the attempt", async () => {
    await start({ body: '{"success":true}' });
    await expect(segment.identify(call, "key")).resolves.toEqual({
      verdict: "delivered",
      status: 200,
      reason: "status 200",
      elapsed: 0,
    });
    expect(loopback.requests).toMatchObject([
      {
        method: "POST",
        path: "/v1/identify",
        headers: { authorization: `Basic ${btoa("key:")}`, "content-type": "application/json" },
        body: JSON.stringify({ sentAt: "2026-11-23T12:00:00.005Z", ...JSON.parse(call.body) }),
      },
    ]);
  });

  it("passes on how long Segment asks to wait", async () => {
    await start({ status: 429, headers: { "retry-after": "7", "x-ratelimit-reset": "9" } });
    await expect(segment.identify(call, "key")).resolves.toMatchObject({ verdict: "retry", retryAfter: 9 });
  });

  it("keeps a path of the endpoint", async () => {
    await start({}, "/segment/");
    await segment.identify(call, "key");
    expect(loopback.requests[0]?.path).toBe("/segment/v1/identify");
  });

  it("opens no more sockets than calls may run at once", async () => {
    await start({});
    await Promise.all(Array.from({ length: 10 }, () => segment.identify(call, "key")));
    expect(new Set(loopback.requests.map(({ clientPort }) => clientPort)).size).toBeLessThanOrEqual(2);
  });

  it.each<[string, Behaviour, string]>([
    ["silence", "hang", "timeout"],
    ["a reset", "reset", "UND_ERR_SOCKET"],
  ])("answers %s with a retry", async (_, behaviour, reason) => {
    await start(behaviour);
    await expect(segment.identify(call, "key")).resolves.toEqual({ verdict: "retry", reason, elapsed: 0 });
  });

  it("takes a status for the answer even if its body never ends", async () => {
    await start("stall");
    await expect(segment.identify(call, "key")).resolves.toMatchObject({ verdict: "delivered" });
  });

  it("takes a status for the answer even if its body is too long to read", async () => {
    await start({ status: 400, body: "x".repeat(1024 * 1024) });
    await expect(segment.identify(call, "key")).resolves.toMatchObject({ verdict: "rejected" });
  });

  it("never sends what waited for a socket until its time was over", async () => {
    await start((index) => (index === 0 ? "hang" : {}), "", 1);
    const given = await Promise.all([segment.identify(call, "first"), segment.identify(call, "second")]);
    expect(given).toMatchObject([{ reason: "timeout" }, { reason: "timeout" }]);
    await expect(segment.identify(call, "third")).resolves.toMatchObject({ verdict: "delivered" });
    const keys = loopback.requests.map(({ headers }) => atob(String(headers.authorization).slice(6)));
    expect(keys).toEqual(["first:", "third:"]);
  });

  it("takes no early hint for an answer", async () => {
    const hint = "HTTP/1.1 103 Early Hints\r\nRetry-After: 900\r\n\r\n";
    const server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => socket.end(hint));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await start({});
    const { port } = Object(server.address());
    const hinted = new Segment({ ...options, endpoint: `http://127.0.0.1:${port}` });
    await expect(hinted.identify(call, "key")).resolves.toEqual({
      verdict: "retry",
      reason: "UND_ERR_SOCKET",
      elapsed: 0,
    });
    await hinted.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it("answers a refused connection with a retry", async () => {
    await start({});
    await loopback.stop();
    await expect(segment.identify(call, "key")).resolves.toEqual({
      verdict: "retry",
      reason: "ECONNREFUSED",
      elapsed: 0,
    });
  });
});

describe("verdictOf", () => {
  it.each([
    [200, "delivered"],
    [204, "delivered"],
    [301, "retry"],
    [400, "rejected"],
    [401, "key-refused"],
    [403, "key-refused"],
    [404, "rejected"],
    [408, "retry"],
    [413, "rejected"],
    [429, "retry"],
    [500, "retry"],
    [501, "rejected"],
    [502, "retry"],
    [503, "retry"],
    [505, "rejected"],
    [599, "retry"],
    [600, "retry"],
  ])("%d: %s", (status, verdict) => {
    expect(verdictOf(status)).toBe(verdict);
  });
});
