import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { DeliverConfig, ReceiveConfig } from "../../lambda/config";
import { resolveOptions } from "../../lambda/options";
import { callBody, QUEUE_ARN, queueEvent, queueRecord, SECRET, webhookEvent } from "../cloud/events";
import { CREDENTIALS, listen, REGION } from "../cloud/server";
import { FakeSsm } from "../cloud/ssm";
import { BundleHost } from "../support/bundles";
import { type Behaviour, CERTIFICATE, Loopback } from "../support/loopback";

/** What the deployed bundles do over TLS, in processes of their own. Bounds on time are wide: the machine may be slow. */

/** Milliseconds: longer than idle sockets are kept for. */
const FREEZE = 6_000;

const stops: (() => Promise<unknown>)[] = [];
// All run at once: most of their time is waiting.
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

async function serve(answer: (index: number) => Behaviour): Promise<Loopback> {
  const server = await Loopback.start((_, index) => answer(index), "https");
  stops.push(() => server.stop());
  return server;
}

/** A function whose SSM works, and deliver's SQS as well. `url`: of what is tested, SQS for receive and Segment for deliver. */
async function start(functionName: "receive" | "deliver", url: string, addresses?: readonly string[]): Promise<BundleHost> {
  const ssm = new FakeSsm();
  ssm.set("/secret", SECRET);
  ssm.set("/key", "write-key");
  const ssmUrl = await listen(ssm.server);
  stops.push(async () => ssm.server.closeAllConnections());
  stops.push(async () => ssm.server.close());
  const sqs = functionName === "receive" ? url : (await serve(() => STORED)).url;
  const config: ReceiveConfig & DeliverConfig = {
    ...resolveOptions({ segmentEndpoint: url }),
    urlSuffix: "invalid",
    stackName: "stack",
    webhookSecretParameter: "/secret",
    writeKeyParameter: "/key",
    queueUrl: `${sqs}/1/queue.fifo`,
    deadLetterQueueUrl: `${sqs}/1/dead.fifo`,
    queueArn: QUEUE_ARN,
  };
  const environment = {
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    // For whatever has no variable of its own: SQS.
    AWS_ENDPOINT_URL: sqs,
    AWS_ENDPOINT_URL_SSM: ssmUrl,
    CONFIG: JSON.stringify(config),
    NODE_EXTRA_CA_CERTS: CERTIFICATE,
    ...(addresses === undefined ? {} : { ADDRESSES: addresses.join(",") }),
  };
  const host = new BundleHost(functionName, environment, addresses && join(__dirname, "../support/addresses.js"));
  stops.push(() => host.stop());
  return host;
}

const STORED: Behaviour = { body: '{"Successful":[{"Id":"0"}]}' };

const receive = (host: BundleHost) => host.invoke<{ readonly statusCode: number }>(webhookEvent());

let messages = 0;
async function deliver(host: BundleHost): Promise<Readonly<Record<string, unknown>> | undefined> {
  const messageId = `m-${messages++}`;
  await host.invoke(queueEvent(queueRecord({ body: callBody({ messageId }), sentAt: Date.now() })));
  return host.lines.findLast((line) => line.messageId === messageId);
}

/** The process stands still, as a container of Lambda's between two invocations, while the server may close its sockets. */
async function freeze(host: BundleHost, server: Loopback, sockets: "closed" | "open"): Promise<void> {
  host.child.kill("SIGSTOP");
  if (sockets === "closed") server.closeConnections();
  await new Promise((resolve) => setTimeout(resolve, FREEZE));
  host.child.kill("SIGCONT");
}

describe("over the network", () => {
  it.concurrent("receive says who it is, and keeps its socket", async () => {
    const sqs = await serve(() => STORED);
    const host = await start("receive", sqs.url);
    for (let i = 0; i < 2; i++) expect(await receive(host)).toMatchObject({ statusCode: 202 });
    expect(sqs.requests.map(({ headers }) => headers["user-agent"])).toEqual(
      Array(2).fill(expect.stringMatching(/^flagsmith-to-segment\/\d/)),
    );
    expect(new Set(sqs.requests.map(({ clientPort }) => clientPort)).size).toBe(1);
  });

  it.concurrent.each(["closed", "open"] as const)(
    "does not use a socket again that idled across a freeze: %s",
    async (sockets) => {
      const sqs = await serve(() => STORED);
      const host = await start("receive", sqs.url);
      await receive(host);
      await freeze(host, sqs, sockets);
      expect(await receive(host)).toMatchObject({ statusCode: 202 });
      const [first, second, ...others] = sqs.requests;
      expect(second?.clientPort).not.toBe(first?.clientPort);
      expect(others).toEqual([]);
    },
  );

  it.concurrent.each<[string, Behaviour, string]>([
    ["a head that comes byte by byte", "drip", "timeout"],
    ["a body that comes byte by byte", { rest: "drips" }, "no-json"],
    ["a reset", "reset", "ECONNRESET"],
    ["an error whose body breaks off", { status: 500, rest: "breaks" }, "http-500"],
    ["an answer without end", { body: "x".repeat(4 * 1024 * 1024) }, "no-json"],
    ["a redirect", { status: 307, headers: { location: "https://localhost:1/" } }, "http-307"],
  ])("receive answers 503 in time to %s", async (_, behaviour, code) => {
    const host = await start("receive", (await serve(() => behaviour)).url);
    const startedAt = Date.now();
    expect(await receive(host)).toMatchObject({ statusCode: 503 });
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    // On a slow machine every attempt may time out first.
    expect([code, "timeout"]).toContain(host.lines[0]?.code);
    expect(host.lines).toMatchObject([{ event: "unavailable" }]);
  });
  it.concurrent("deliver says who it is, and keeps its socket", async () => {
    const segment = await serve(() => ({}));
    const host = await start("deliver", segment.url);
    for (let i = 0; i < 3; i++) expect(await deliver(host)).toMatchObject({ event: "delivered", status: 200 });
    const [first, , third] = segment.requests;
    expect(first?.headers["user-agent"]).toMatch(/^flagsmith-to-segment\/\d/);
    expect(third?.clientPort).toBe(first?.clientPort);
  });

  it.concurrent.each(["closed", "open"] as const)(
    "does not use a socket again that idled across a freeze: %s",
    async (sockets) => {
      const segment = await serve(() => ({}));
      const host = await start("deliver", segment.url);
      await deliver(host);
      await freeze(host, segment, sockets);
      expect(await deliver(host)).toMatchObject({ event: "delivered" });
      const [first, second, ...others] = segment.requests;
      expect(second?.clientPort).not.toBe(first?.clientPort);
      expect(others).toEqual([]);
    },
  );

  it.concurrent.each<[string, Behaviour, object]>([
    ["a head that comes byte by byte", "drip", { event: "retrying", reason: "timeout" }],
    ["silence", "hang", { event: "retrying", reason: "timeout" }],
    ["a body that comes byte by byte", { rest: "drips" }, { event: "delivered", status: 200 }],
    ["a body that breaks off", { status: 404, rest: "breaks" }, { event: "retrying", status: 404 }],
    ["a body without end", { body: "x".repeat(4 * 1024 * 1024) }, { event: "delivered", status: 200 }],
    ["a redirect", { status: 307, headers: { location: "https://localhost:1/" } }, { event: "retrying", status: 307 }],
    ["something that is not HTTP", "garbage", { event: "retrying", reason: "not-http" }],
  ])("deliver ends the call in time at %s", async (_, behaviour, line) => {
    const host = await start("deliver", (await serve(() => behaviour)).url);
    const startedAt = Date.now();
    expect(await deliver(host)).toMatchObject(line);
    expect(Date.now() - startedAt).toBeLessThan(30_000);
  });
  /** A server whose queues are full, stopped: what connects now is dropped. */
  async function fullListener(
    port: number,
    ...addresses: readonly string[]
  ): Promise<{ readonly child: ChildProcess; readonly port: number }> {
    const child = fork(join(__dirname, "../support/silent-listener.js"), [String(port), ...addresses], { execArgv: [] });
    const [bound] = await once(child, "message");
    child.kill("SIGSTOP");
    const fillers: Socket[] = [];
    for (const host of addresses) {
      for (let i = 0; i < 8; i++) fillers.push(connect({ host, port: bound }).on("error", () => {}));
    }
    stops.push(async () => {
      for (const filler of fillers) filler.destroy();
      child.kill("SIGKILL");
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { child, port: bound };
  }

  it.concurrent("deliver reaches a live address behind two dead ones", async () => {
    const segment = await serve(() => ({}));
    await fullListener(segment.port, "127.0.0.2", "127.0.0.3");
    const host = await start("deliver", segment.url, ["127.0.0.2", "127.0.0.3", "127.0.0.1"]);
    expect(await deliver(host)).toMatchObject({ event: "delivered" });
    expect(segment.requests).toHaveLength(1);
  });

  it.concurrent("deliver survives a lost SYN, which is sent again after a second", async () => {
    const { child, port } = await fullListener(0, "127.0.0.2");
    const host = await start("deliver", `https://localhost:${port}`, ["127.0.0.2"]);
    const delivered = deliver(host);
    // By now the first SYN was dropped; the second finds room.
    setTimeout(() => child.kill("SIGCONT"), 700);
    expect(await delivered).toMatchObject({ event: "delivered", status: 200 });
  });

  it.concurrent("deliver gives up connecting before the call's time is up", async () => {
    const { port } = await fullListener(0, "127.0.0.2");
    const host = await start("deliver", `https://localhost:${port}`, ["127.0.0.2"]);
    expect(await deliver(host)).toMatchObject({
      event: "retrying",
      reason: expect.stringMatching(/^(connect-timeout|ETIMEDOUT)$/),
    });
  });
});
