import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { KeepAlive } from "../../lambda/adapters/keep-alive";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

let server: Server;
let sockets: Socket[];
let client: KeepAlive;

beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => sockets.push(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = new KeepAlive(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
});
afterEach(async () => {
  client.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** Answers the next request, over whatever socket it comes. */
function answerNext(text = OK): void {
  const answer = (socket: Socket) => socket.once("data", () => socket.write(text));
  for (const socket of sockets) answer(socket);
  server.once("connection", answer);
}

async function post(body = "{}"): Promise<unknown> {
  return client.post(["host", "h", "content-length", String(body.length)], body, 2_000);
}

describe("KeepAlive", () => {
  it("uses a socket again", async () => {
    answerNext();
    await expect(post()).resolves.toEqual({ status: 200, text: "{}" });
    answerNext();
    await post();
    expect(sockets).toHaveLength(1);
  });

  it("drops a socket over which something comes that nobody asked for", async () => {
    answerNext();
    await post();
    const [first] = sockets;
    if (first === undefined) throw new Error("no socket");
    first.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    await once(first.resume(), "close");
    answerNext();
    await expect(post()).resolves.toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(2);
  });

  it("drops a socket whose request was answered before it was all written", async () => {
    server.once("connection", (socket: Socket) => socket.once("readable", () => socket.write(OK)));
    await expect(post("x".repeat(20_000_000))).resolves.toMatchObject({ status: 200 });
    answerNext();
    await expect(post()).resolves.toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(2);
  });
});
