// Listens on the addresses and the port that it is given, and answers each request with 200. While it is stopped by a signal and
// its queues are full, the kernel drops whatever wants to connect: `node silent-listener.js <port> <address>…`.
const { createServer } = require("node:https");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [port, ...addresses] = process.argv.slice(2);
const tls = join(__dirname, "fixtures/tls");
const identity = { key: readFileSync(join(tls, "localhost.key")), cert: readFileSync(join(tls, "localhost.crt")) };

let waiting = addresses.length;
for (const host of addresses) {
  const server = createServer(identity, (_, response) => response.end("{}"));
  server.listen({ port: Number(port), host, backlog: 1 }, () => {
    if (--waiting === 0) process.send(server.address().port);
  });
}
