import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { KeepAlive, requestHead } from "../../lambda/adapters/keep-alive";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

let server: Server;
let sockets: Socket[];
let client: KeepAlive;
let now: number;

beforeEach(async () => {
  sockets = [];
  now = 0;
  server = createServer((socket) => sockets.push(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client = new KeepAlive({ origin, maxIdle: 1_000, now: () => now });
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

async function post(body = "{}", timeout = 2_000): Promise<unknown> {
  return client.post(requestHead("/", ["host", "h"]), body, timeout);
}

describe("KeepAlive", () => {
  it("uses a socket again", async () => {
    answerNext();
    const headers = new Map([["content-length", "2"]]);
    await expect(post()).resolves.toEqual({ status: 200, headers, text: "{}" });
    answerNext();
    await post();
    expect(sockets).toHaveLength(1);
  });

  it("opens as many sockets as calls run at once", async () => {
    server.on("connection", (socket: Socket) => socket.on("data", () => socket.write(OK)));
    for (const many of [1, 2, 2]) await Promise.all(Array.from({ length: many }, () => post()));
    expect(sockets).toHaveLength(2);
  });

  it("ends all sockets that idled for too long", async () => {
    server.on("connection", (socket: Socket) => socket.on("data", () => socket.write(OK)));
    await Promise.all([post(), post()]);
    const ended = sockets.map((socket) => once(socket, "close"));
    now += 1_001;
    await post();
    await Promise.all(ended);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, true, false]);
  });

  it("sends nothing once the time is up", async () => {
    const received: string[] = [];
    server.on("connection", (socket: Socket) =>
      socket.on("data", (piece) => {
        received.push(piece.toString().slice(-2));
        socket.write(OK);
      }),
    );
    await post("11");
    await expect(post("22", 0)).rejects.toMatchObject({ name: "TimeoutError" });
    await post("33");
    expect(received).toEqual(["11", "33"]);
  });

  it("forgets the time of a call that is answered", async () => {
    jest.useFakeTimers({ doNotFake: ["nextTick", "queueMicrotask", "setImmediate", "clearImmediate"] });
    try {
      answerNext();
      await post("{}", 2_000);
      jest.advanceTimersByTime(3_000);
      answerNext();
      await post();
    } finally {
      jest.useRealTimers();
    }
    expect(sockets).toHaveLength(1);
  });

  it.each([
    ["single bytes", "{}"],
    ["any script", '{"用":"🚩"}'],
  ])("sends text of %s with its length in bytes", async (_, body) => {
    const received: Buffer[] = [];
    server.once("connection", (socket: Socket) =>
      socket.on("data", (piece) => {
        received.push(piece);
        socket.write(OK);
      }),
    );
    await post(body);
    const length = Buffer.byteLength(body);
    const request = `POST / HTTP/1.1\r\nhost: h\r\ncontent-length: ${length}\r\n\r\n${body}`;
    expect(Buffer.concat(received).toString()).toBe(request);
  });

  it("takes an answer that only the end of its socket makes whole, and another socket for the next", async () => {
    server.on("connection", (socket: Socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\n{}")),
    );
    for (const count of [1, 2]) {
      await expect(post()).resolves.toMatchObject({ status: 200, text: "{}" });
      expect(sockets).toHaveLength(count);
    }
  });

  it("says what came of an answer that broke off, and what broke it off", async () => {
    server.once("connection", (socket: Socket) =>
      socket.once("data", () =>
        socket.end("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nbu"),
      ),
    );
    await expect(post()).rejects.toMatchObject({
      name: "IncompleteAnswerError",
      head: {
        status: 503,
        headers: new Map([
          ["retry-after", "7"],
          ["content-length", "9"],
        ]),
      },
      cause: { code: "ECONNRESET" },
    });
  });

  it("gives up connecting after its own time", async () => {
    // It waits for a request while the client waits for its TLS.
    const origin = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const waiting = new KeepAlive({ origin, connectTimeout: 20, now: Date.now });
    const answer = waiting.post(requestHead("/", ["host", "h"]), "{}", 5_000);
    await expect(answer).rejects.toMatchObject({ code: "connect-timeout" });
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
