// The rest takes seconds to load.
console.log("starting: synthesizes the stack, bundles the functions");

void import("./start").then(({ start, fail }) => start(process.argv.includes("--json")).catch(fail));
