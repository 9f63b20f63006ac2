import { runColdBurst } from "./cold-burst";

/** A short run of the row `cold burst at SSM`. */
it("a burst from cold loses nothing, and asks SSM a bounded number of times", async () => {
  const { events, lost, containers, reads } = await runColdBurst(2);
  expect({ events, lost }).toEqual({ events: 200, lost: 0 });
  // A read or two by each container per second, for as long as it has no secret.
  expect(reads).toBeLessThan(20 * containers);
});
