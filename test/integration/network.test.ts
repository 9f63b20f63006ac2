import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { environmentsOf, NAMES } from "../cloud/environments";
import { callBody, queueEvent, queueRecord, SECRET, webhookEvent } from "../cloud/events";
import { close, listen } from "../cloud/server";
import { FakeSsm } from "../cloud/ssm";
import { BundleHost } from "../support/bundles";
import { type Behaviour, CERTIFICATE, Loopback } from "../support/loopback";

/**
 * What the deployed bundles do over TLS, in processes of their own. On a slow machine an attempt may time out before its answer
 * comes, so no test counts attempts.
 */

const stops: (() => Promise<unknown>)[] = [];
// All run at the same time, because most of their time is waiting.
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
  ssm.set(NAMES.webhookSecret, SECRET);
  ssm.set(NAMES.writeKey, "write-key");
  const ssmUrl = await listen(ssm.server);
  stops.push(() => close(ssm.server));
  const sqsUrl = functionName === "receive" ? url : (await serve(() => STORED)).url;
  const environment = {
    ...environmentsOf({ ssmUrl, sqsUrl, segmentUrl: url })[functionName],
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
  return host.entries.findLast((entry) => entry.messageId === messageId);
}

describe.each([
  ["receive", STORED, async (host: BundleHost) => expect(await receive(host)).toMatchObject({ statusCode: 202 })],
  ["deliver", {}, async (host: BundleHost) => expect(await deliver(host)).toMatchObject({ event: "delivered" })],
] as const)("the connections of %s", (name, answer, invoke) => {
  it.concurrent("are used again, by requests that name the product", async () => {
    const server = await serve(() => answer);
    const host = await start(name, server.url);
    // undici uses two connections by turns.
    for (let i = 0; i < 5; i++) await invoke(host);
    const clientPorts = new Set(server.requests.map(({ clientPort }) => clientPort));
    expect(clientPorts.size).toBeLessThan(server.requests.length);
    expect(server.requests[0]?.headers["user-agent"]).toMatch(/^flagsmith-to-segment\/\d/);
  });
});

describe("deliver", () => {
  /** A server that is stopped and whose queues are full, so that the kernel drops whatever wants to connect. */
  async function fullListener(
    port: number,
    ...addresses: readonly string[]
  ): Promise<{ readonly child: ChildProcess; readonly port: number }> {
    const child = fork(join(__dirname, "../support/silent-listener.js"), [String(port), ...addresses], { execArgv: [] });
    stops.push(async () => child.kill("SIGKILL"));
    const [bound] = await once(child, "message");
    child.kill("SIGSTOP");
    for (const host of addresses) {
      const fillers = Array.from({ length: 8 }, () => connect({ host, port: bound }).on("error", () => {}));
      stops.push(async () => {
        for (const filler of fillers) filler.destroy();
      });
      // Those that connect are in the queue; then it is full.
      await Promise.race(fillers.map((filler) => once(filler, "connect")));
      await setImmediate();
    }
    return { child, port: bound };
  }

  it.concurrent("reaches an address behind two that do not answer", async () => {
    const segment = await serve(() => ({}));
    await fullListener(segment.port, "127.0.0.2", "127.0.0.3");
    const host = await start("deliver", segment.url, ["127.0.0.2", "127.0.0.3", "127.0.0.1"]);
    expect(await deliver(host)).toMatchObject({ event: "delivered" });
  });

  it.concurrent("survives the loss of its first SYN, which is sent again after a second", async () => {
    const { child, port } = await fullListener(0, "127.0.0.2");
    const host = await start("deliver", `https://localhost:${port}`, ["127.0.0.2"]);
    // The container has started.
    await host.invoke({});
    const delivered = deliver(host);
    setTimeout(() => child.kill("SIGCONT"), 700);
    expect(await delivered).toMatchObject({ event: "delivered", status: 200 });
  });

  it.concurrent("stops connecting before the attempt's time is over", async () => {
    const { port } = await fullListener(0, "127.0.0.2");
    const host = await start("deliver", `https://localhost:${port}`, ["127.0.0.2"]);
    const reason = expect.stringMatching(/^(connect-timeout|ETIMEDOUT)$/);
    expect(await deliver(host)).toMatchObject({ event: "retrying", reason });
  });
});
