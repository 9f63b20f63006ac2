import { seeded } from "../support/random";
import { SEED } from "../support/seed";
import { judge } from "./oracle";
import { generate } from "./requests";

/** A short run of `npm run fuzz`, without its limit of CPU time. */
it(`any request has a response of the table, and no secret, signature or value gets out, SEED=${SEED}`, async () => {
  const random = seeded(SEED);
  const statuses = new Set<number>();
  for (let count = 0; count < 1_000; count++) {
    const { status, fault } = await judge(generate(random));
    if (fault !== undefined) throw new Error(`request ${count}: ${fault}`);
    statuses.add(status);
  }
  expect([...statuses].sort()).toEqual([200, 202, 400, 401]);
});
