// Runs one deployed bundle in a process of its own, as Lambda does: `node bundle-host.js <index.js>`, an invocation a message.
const { handler } = require(process.argv[2]);

// Lambda's Node.js 24 refuses handlers that take a callback.
if (typeof handler !== "function" || handler.length > 2)
  throw new Error("not a handler that Node.js 24 takes");

process.on("message", async ({ id, event, context }) => {
  try {
    process.send({
      id,
      result: await handler(event, { ...context, getRemainingTimeInMillis: () => 60_000 }),
    });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
