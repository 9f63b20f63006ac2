// What an app gets of the package. A clone or a git dependency has no dist/ until it was built.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

if (!existsSync(join(__dirname, "../dist/infra/index.js"))) {
  const folder = join(__dirname, "..");
  throw new Error(`${folder} is not built: run "npm ci && npm pack" there, and install the tarball in your app`);
}

module.exports = require("../dist/infra/index.js");
