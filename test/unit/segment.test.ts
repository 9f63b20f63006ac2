import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Segment, verdictOf } from "../../lambda/adapters/segment";
import { parseIdentifyCall } from "../../lambda/domain/identify";
import { callBody, NOON } from "../support/builders";
import { type Behaviour, Loopback } from "../support/loopback";

let loopback: Loopback;
let segment: Segment;

async function start(behaviour: Behaviour, path = ""): Promise<void> {
  loopback = await Loopback.start(() => behaviour);
  segment = new Segment({ ...options, endpoint: loopback.url + path });
}

const options = { attemptTimeout: 200, connectTimeout: 200, maxIdle: 1_000, now: () => NOON + 5 };

const call = parseIdentifyCall(callBody());

describe("Segment", () => {
  afterEach(async () => {
    segment.close();
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

  it.each<[string, Behaviour, string]>([
    ["silence", "hang", "timeout"],
    ["a reset", "reset", "ECONNRESET"],
  ])("answers %s with a retry", async (_, behaviour, reason) => {
    await start(behaviour);
    await expect(segment.identify(call, "key")).resolves.toEqual({ verdict: "retry", reason, elapsed: 0 });
  });

  it("takes a status for the answer even if its body never ends", async () => {
    await start("stall");
    await expect(segment.identify(call, "key")).resolves.toMatchObject({ verdict: "delivered" });
  });

  it("takes a status for the answer even if the socket breaks within its body", async () => {
    await start("break");
    await expect(segment.identify(call, "key")).resolves.toMatchObject({ verdict: "delivered" });
  });

  it("takes a status for the answer even if its body is too long to read", async () => {
    await start({ status: 400, body: "x".repeat(2 * 1024 * 1024) });
    await expect(segment.identify(call, "key")).resolves.toMatchObject({ verdict: "rejected" });
  });

  it("does not meet a socket that the server is about to close", async () => {
    await start({});
    let now = NOON;
    const late = new Segment({ ...options, endpoint: loopback.url, now: () => now });
    for (const wait of [0, 1_000, 1_001]) {
      now += wait;
      await late.identify(call, "key");
    }
    late.close();
    const [first, second, third] = loopback.requests.map(({ clientPort }) => clientPort);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
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

describe("Segment, where something else listens", () => {
  let server: Server;

  async function listen(onConnection: (socket: Socket) => void): Promise<string> {
    server = createServer((socket) => onConnection(socket.on("error", () => {}).resume()));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it("takes no early hint for an answer", async () => {
    const hint = "HTTP/1.1 103 Early Hints\r\nRetry-After: 900\r\n\r\n";
    const endpoint = `http://${await listen((socket) => socket.once("data", () => socket.end(hint)))}`;
    const answer = await new Segment({ ...options, endpoint }).identify(call, "key");
    expect(answer).toEqual({ verdict: "retry", reason: "ECONNRESET", elapsed: 0 });
  });

  it("says that nothing was sent where TLS is waited for in vain", async () => {
    const endpoint = `https://${await listen(() => {})}`;
    const waiting = new Segment({ ...options, endpoint, attemptTimeout: 5_000, connectTimeout: 50 });
    const answer = await waiting.identify(call, "key");
    expect(answer).toEqual({ verdict: "retry", reason: "connect-timeout", elapsed: 0 });
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
