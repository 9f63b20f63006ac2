// Runs one bundle in a process of its own, as Lambda does: `node bundle-host.js <index.js>`, an invocation per message.
const { handler } = require(process.argv[2]);

// Lambda's Node.js 24 refuses handlers that take a callback.
if (typeof handler !== "function" || handler.length > 2) throw new Error("not a handler that Node.js 24 takes");

process.on("message", async ({ id, event, context }) => {
  try {
    const result = await handler(event, { getRemainingTimeInMillis: () => 60_000, ...context });
    process.send({ id, result });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
