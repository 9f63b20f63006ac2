// Runs before anything else is loaded, in releases of Node.js that can't read the rest: plain JavaScript of 2015.
const { engines } = require("../package.json");

const needed = engines.node.replace(">=", "");
const found = process.version.slice(1);
const [neededParts, foundParts] = [needed, found].map((version) => version.split(".").map(Number));
const index = neededParts.findIndex((part, place) => part !== foundParts[place]);

if (index >= 0 && foundParts[index] < neededParts[index]) {
  console.error(`Node.js ${found} is too old: this needs ${needed} or newer`);
  process.exit(1);
}
