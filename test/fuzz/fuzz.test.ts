import { seeded } from "../faults/random";
import { SEED } from "../support/seed";
import { judge } from "./oracle";
import { generate } from "./requests";

/** A short run of `npm run fuzz`, without its watch. */
describe(`fuzzed requests, SEED=${SEED}`, () => {
  it("get an answer of the table, and no secret, signature or value out", async () => {
    const random = seeded(SEED);
    const statuses = new Set<number>();
    for (let count = 0; count < 1_000; count++) {
      const { status, fault } = await judge(generate(random));
      if (fault !== undefined) throw new Error(`request ${count}: ${fault}`);
      statuses.add(status);
    }
    expect([...statuses].sort()).toEqual([200, 202, 400, 401]);
  });
});

describe("the judge", () => {
  const request = () => {
    const random = seeded(1);
    for (;;) {
      const generated = generate(random);
      if (generated.signature === generated.right) return generated;
    }
  };

  it("finds a forged request that is answered, and a right one that is not", async () => {
    const authentic = request();
    expect((await judge(authentic)).fault).toBeUndefined();
    expect((await judge({ ...authentic, right: "0".repeat(64) })).fault).toMatch(/to a wrong signature/);
    const unsigned = { ...authentic, signature: undefined };
    expect((await judge(unsigned)).fault).toBeUndefined();
    expect((await judge({ ...authentic, signature: "f", right: "f" })).fault).toBe("answered 401 to a right signature");
  });
});
