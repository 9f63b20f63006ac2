// Runs one invocation of a bundle in a worker, whose environment is what the test gave it.
const { workerData } = require("node:worker_threads");
const { handler } = require(workerData.bundle);

handler(workerData.event, { awsRequestId: "invocation", getRemainingTimeInMillis: () => 60_000 });
