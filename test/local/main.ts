const [unknown] = process.argv.slice(2).filter((argument) => argument !== "--json");

if (unknown === undefined) {
  // The rest takes seconds to load.
  console.error("starting: synthesizes the stack, bundles the functions");
  void import("./start").then(({ start, fail }) => start(process.argv.includes("--json")).catch(fail));
} else {
  console.error(`unknown argument ${unknown}\nusage: npm start [-- --json]; its settings are variables, see README.md`);
  process.exitCode = 2;
}
