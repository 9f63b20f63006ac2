import { createServer, type IncomingHttpHeaders, request } from "node:http";
import { close, listen } from "../cloud/server";
import { type AnsweredWebhook, createFront, type FrontOptions } from "./front";
import type { SegmentSwitch } from "./own-routes";

const PLACES = {
  region: "us-east-1",
  endpoint: "http://127.0.0.1:1",
  credentials: { accessKeyId: "local", secretAccessKey: "local-credential" },
  webhookUrl: "http://127.0.0.1:2/webhook",
  settingsUrl: "http://127.0.0.1:3",
};

interface Asked {
  readonly route: string;
  readonly headers?: IncomingHttpHeaders;
  /** @default - the real one, which is loopback */
  readonly from?: string;
  readonly body?: Buffer;
}

/** One request, and what the front answers. */
async function ask({ route, headers = {}, from, body }: Asked, overrides: Partial<FrontOptions> = {}) {
  const receive = async () => ({ statusCode: 202, headers: {}, body: "accepted" });
  const front = createFront({ receive, timeout: 60_000, places: PLACES, segment: { mode: "ok" }, ...overrides });
  const server = createServer((incoming, outgoing) => {
    if (from !== undefined) Object.defineProperty(incoming.socket, "remoteAddress", { value: from });
    void front(incoming, outgoing);
  });
  const url = await listen(server);
  const [method = "", path = ""] = route.split(" ");
  try {
    return await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = request(`${url}${path}`, { method, headers }, async (response) => {
        let text = "";
        for await (const chunk of response) text += String(chunk);
        resolve({ status: response.statusCode ?? 0, text });
      });
      sent.once("error", reject);
      sent.end(body);
    });
  } finally {
    await close(server);
  }
}

describe("the front of the local run", () => {
  it.each<[string, Omit<Asked, "route">]>([
    ["another machine", { from: "192.0.2.7" }],
    ["another machine over IPv6", { from: "2001:db8::7" }],
    ["the other end of a tunnel", { headers: { "x-forwarded-for": "192.0.2.7" } }],
    ["a tunnel under its own name", { headers: { host: "abc.tunnel.example" } }],
  ])("gives neither its description nor the switch of Segment to %s", async (_, asked) => {
    const segment: SegmentSwitch = { mode: "ok" };
    const description = await ask({ route: "GET /", ...asked }, { segment });
    expect(description.text).toBe("flagsmith-to-segment: Flagsmith's webhook belongs at /webhook\n");
    const switched = await ask({ route: "POST /segment?mode=down", ...asked }, { segment });
    expect(switched).toEqual({ status: 403, text: "only from the machine itself\n" });
    expect(segment.mode).toBe("ok");
  });

  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])("gives its description to the machine itself at %s", async (from) => {
    expect(JSON.parse((await ask({ route: "GET /", from })).text)).toEqual(PLACES);
  });

  it("switches Segment's mode", async () => {
    const segment: SegmentSwitch = { mode: "ok" };
    expect(await ask({ route: "POST /segment?mode=429" }, { segment })).toEqual({ status: 200, text: "Segment: 429\n" });
    expect(segment.mode).toBe("429");
    const refused = await ask({ route: "POST /segment?mode=away" }, { segment });
    expect(refused).toEqual({ status: 400, text: "mode: allowed is ok, slow, 429, reject, down\n" });
  });

  it("refuses to switch a Segment that is not the embedded one", async () => {
    const { status } = await ask({ route: "POST /segment?mode=ok" }, { segment: undefined });
    expect(status).toBe(409);
  });

  it.each<[string, Asked, number, string | undefined]>([
    ["an evaluation", { route: "POST /webhook" }, 202, undefined],
    ["another path", { route: "POST /webhok" }, 404, "POST /webhok: the webhook is POST /webhook"],
    ["a body of more than 6 MB", { route: "POST /webhook", body: Buffer.alloc(6 * 1024 * 1024 + 1) }, 413, "the body exceeds"],
  ])("shows %s to its observer, answered or refused", async (_, asked, status, reason) => {
    const arrived: string[] = [];
    const answered: AnsweredWebhook[] = [];
    const observer = {
      arrived: (id: string) => void arrived.push(id),
      answered: (webhook: AnsweredWebhook) => void answered.push(webhook),
    };
    const headers = { "content-type": "application/json" };
    expect((await ask({ headers, ...asked }, { observer })).status).toBe(status);
    expect(answered.map(({ requestId }) => requestId)).toEqual(arrived);
    expect(answered).toMatchObject([{ status }]);
    if (reason === undefined) expect(answered[0]).not.toHaveProperty("reason");
    else expect(answered[0]?.reason).toContain(reason);
  });
});
