// One variant in a process of its own: `node child.js <bundle>`. Each message is a measurement.
const { performance } = require("node:perf_hooks");

const file = process.argv[2];
const context = { awsRequestId: "00000000-0000-0000-0000-000000000000", getRemainingTimeInMillis: () => 60_000 };

async function cold({ event }) {
  const started = performance.now();
  const { handler } = require(file);
  const result = await handler(event, context);
  return { milliseconds: performance.now() - started, result };
}

/** CPU and wall time of one invocation, in milliseconds, over many. */
async function warm({ event, count }) {
  const { handler } = require(file);
  let result;
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (let i = 0; i < count; i++) result = await handler(event, context);
  const wall = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1_000 / count, wall: wall / count, result };
}

async function memory() {
  global.gc();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / 1024 / 1024, heap: heapUsed / 1024 / 1024 };
}

const SUBJECTS = { cold, warm, memory };

process.on("message", async ({ subject, ...input }) => {
  try {
    process.send({ measured: await SUBJECTS[subject](input) });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
