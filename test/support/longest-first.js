/** Files that take longest, longest first. */
const LONG = [/campaign-hours/, /local\.test/, /campaign/, /package/, /commands/, /bundles/, /integration|infra|property/];

/** The order of test files: none of the long ones runs alone at the end. On a fresh machine jest goes by their size. */
module.exports = class LongestFirst {
  sort(tests) {
    const rankOf = ({ path }) => {
      const rank = LONG.findIndex((pattern) => pattern.test(path));
      return rank === -1 ? LONG.length : rank;
    };
    return [...tests].sort((one, other) => rankOf(one) - rankOf(other));
  }

  shard(tests) {
    return tests;
  }

  allFailedTests(tests) {
    return tests;
  }

  cacheResults() {}
};
