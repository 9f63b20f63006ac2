import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";

const TLS = join(__dirname, "../support/fixtures/tls");
/** Good for `localhost` until 2126; nobody but these tests trusts it. */
const CERTIFICATE = join(TLS, "localhost.crt");

let server: Server;
let sockets: { readonly resumed: boolean }[];
let warnings: Buffer[];

beforeEach(async () => {
  warnings = [];
  sockets = [];
  server = createServer(
    { cert: readFileSync(CERTIFICATE), key: readFileSync(join(TLS, "localhost.key")) },
    async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece);
      // Longer than a TLS record, so that it comes in pieces.
      response.end(Buffer.concat(pieces).toString().padEnd(40_000, "."));
    },
  );
  // A client whose idle sockets keep it from ending waits for ever.
  server.keepAliveTimeout = 0;
  server.on("secureConnection", (socket: TLSSocket) => sockets.push({ resumed: socket.isSessionReused() }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function call(host: string, environment: Readonly<Record<string, string>>): Promise<unknown> {
  const { port } = server.address() as AddressInfo;
  const script = join(__dirname, "../support/tls-client.ts");
  const client = spawn(process.execPath, ["--import", "tsx", script, `https://${host}:${port}`], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed: Buffer[] = [];
  client.stdout.on("data", (piece) => printed.push(piece));
  client.stderr.on("data", (piece) => warnings.push(piece));
  await once(client, "close");
  return JSON.parse(Buffer.concat(printed).toString());
}

describe("KeepAlive over TLS", () => {
  it("reads answers of several records, uses the socket again, resumes the session over the next, and lets the process end", async () => {
    const answer = { status: 200, text: '{"a":"ü"}'.padEnd(40_000, ".") };
    await expect(call("localhost", { NODE_EXTRA_CA_CERTS: CERTIFICATE })).resolves.toEqual([
      answer,
      answer,
      answer,
    ]);
    expect(sockets).toEqual([{ resumed: false }, { resumed: true }]);
  });

  it("offers no session again over which it was hung up on", async () => {
    let connections = 0;
    server.on("connection", (socket) => {
      if (++connections === 2) socket.destroy();
    });
    server.on("request", (_, response) => response.setHeader("connection", "close"));
    const answer = expect.objectContaining({ status: 200 });
    await expect(call("localhost", { NODE_EXTRA_CA_CERTS: CERTIFICATE })).resolves.toEqual([
      answer,
      { code: "ECONNRESET" },
      answer,
    ]);
    expect(sockets).toEqual([{ resumed: false }, { resumed: false }]);
  });

  it("refuses a certificate that nobody vouches for", async () => {
    const refused = { code: "DEPTH_ZERO_SELF_SIGNED_CERT" };
    await expect(call("localhost", {})).resolves.toEqual([refused, refused, refused]);
  });

  it("refuses a certificate of another name", async () => {
    const refused = { code: "ERR_TLS_CERT_ALTNAME_INVALID" };
    const answers = call("127.0.0.1", { NODE_EXTRA_CA_CERTS: CERTIFICATE });
    await expect(answers).resolves.toEqual([refused, refused, refused]);
  });

  it("gives no address for a server name, which RFC 6066 forbids and Node.js warns of", async () => {
    await call("127.0.0.1", {});
    expect(Buffer.concat(warnings).toString()).toBe("");
  });
});
