import fc from "fast-check";
import { MINUTE_MS } from "../../lambda/timing";
import { describeProperties } from "../support/seed";
import { DeliveryModel, type ModelOptions, NAMES, type Traits, VALUES } from "./delivery-model";

/** `RUNS=60000` is as long as the simulation that tested the design. */
const RUNS = Number(process.env.RUNS ?? 2_000);
const USERS = ["a", "b"];

/** Some sets lack traits of other sets, as with client-side keys. */
const traits: fc.Arbitrary<Traits> = fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES), { maxKeys: 3 });
const pauseMinutes = fc.constantFrom(0, 0, 0, 0, 1, 5, 60, 23 * 60, 25 * 60);

type Step = { readonly user: string; readonly traits: Traits; readonly pauseMinutes: number };
const step: fc.Arbitrary<Step> = fc.record({ user: fc.constantFrom("a", "a", "a", "b"), traits, pauseMinutes });

const everythingFails: ModelOptions["chances"] = { refused: 0.1, lost: 0.1, tableFails: 0.1, killed: 0.2, undeleted: 0.1 };

/** Returns the profiles after all evaluations were applied in order. */
function truthOf(history: readonly Step[]): DeliveryModel["profiles"] {
  const profiles: DeliveryModel["profiles"] = {};
  for (const { user, traits } of history) profiles[user] = { ...profiles[user], ...traits };
  return profiles;
}

/** Sends and delivers a history until the queue is empty or `untilMs` is reached. */
async function run(
  model: DeliveryModel,
  history: readonly Step[],
  afterEach?: () => Promise<void>,
  untilMs = Number.POSITIVE_INFINITY,
) {
  for (const { user, traits, pauseMinutes } of history) {
    model.send(user, traits);
    if (pauseMinutes > 0) await model.drain(model.clock.now + pauseMinutes * MINUTE_MS, afterEach);
  }
  await model.drain(untilMs, afterEach);
}

describeProperties("forward: changes", () => {
  const options = fc.record({
    seed: fc.nat(),
    forward: fc.constant("changes" as const),
    merges: fc.boolean(),
    containers: fc.constantFrom(1, 3),
    chances: fc.constantFrom({}, everythingFails, { ...everythingFails, tableFails: 0.3 }, { killed: 0.5 }),
  });
  const history = fc.array(step, { minLength: 5, maxLength: 30, size: "max" });

  it(
    "never has a fingerprint that differs from what Segment has, whatever fails, and ends right after one more evaluation",
    async () => {
      let redriven = 0;
      let unchanged = 0;
      await fc.assert(
        fc.asyncProperty(options, history, fc.boolean(), async (given, steps, refusesUser) => {
          const model = new DeliveryModel(given);
          // After each of 100,000 invocations `expect` would take a sixth of the time.
          const check = async () => {
            const wrong = await model.wrongFingerprints();
            if (wrong.length > 0) throw new Error(wrong.join(", "));
          };
          const half = Math.floor(steps.length / 2);
          if (refusesUser) {
            // The calls of another user are accepted, so the endpoint is healthy and messages are dead-lettered.
            model.refused.add("a");
            const beside = steps.slice(0, half).flatMap((each) => [
              { ...each, pauseMinutes: 0 },
              { ...each, user: "b", pauseMinutes: 1 },
            ]);
            for (const each of beside) await run(model, [each], check, model.clock.now + each.pauseMinutes * MINUTE_MS);
            model.refused.clear();
          } else await run(model, steps.slice(0, half), check);
          redriven += model.deadLetters.moveTo(model.queue);
          await run(model, steps.slice(half), check);
          model.failing = false;
          const last = USERS.map((user) => ({ user, traits: { x: 1, y: 0, z: 1 }, pauseMinutes: 0 }));
          await run(model, last, check);
          for (const user of USERS) expect(model.profiles[user]).toEqual({ x: 1, y: 0, z: 1 });
          unchanged += model.log.entries.filter(({ event }) => event === "unchanged").length;
        }),
        // Shrinking a history would take minutes.
        { numRuns: RUNS, endOnFailure: true },
      );
      // This shows that redrives and unchanged messages occurred in the runs.
      expect(redriven).toBeGreaterThan(RUNS / 100);
      expect(unchanged).toBeGreaterThan(RUNS);
    },
    1_000 * RUNS,
  );
});

describeProperties("experiments", () => {
  const variation = fc.constantFrom("a", "b", undefined);
  const history = fc.array(fc.record({ user: fc.constantFrom("a", "a", "b"), variation, pauseMinutes }), {
    minLength: 5,
    maxLength: 30,
  });
  /** Returns the variations that differ from the one before. */
  const changesOf = (variations: readonly string[]) => variations.filter((each, index) => each !== variations[index - 1]);

  it("every change of a user's variation is an event, in order and under one id each, whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), history, async (seed, steps) => {
        const model = new DeliveryModel({ seed, forward: "changes", merges: false, containers: 2, chances: everythingFails });
        for (const { user, variation, pauseMinutes } of steps) {
          model.send(user, { x: 1 }, variation);
          await model.drain(model.clock.now + pauseMinutes * MINUTE_MS);
        }
        await model.drain();
        for (const user of USERS) {
          const expected = steps.flatMap((step) => (step.user === user ? (step.variation ?? []) : []));
          const accepted = model.events.filter((event) => event.user === user).map((event) => event.variation);
          expect(changesOf(accepted)).toEqual(changesOf(expected));
        }
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });
});

describeProperties("whatever fails, Segment ends with each trait's last value", () => {
  it.each<[string, Pick<ModelOptions, "forward" | "merges" | "chances">]>([
    ["forward: every", { forward: "every", merges: false, chances: everythingFails }],
    ["forward: changes", { forward: "changes", merges: false, chances: everythingFails }],
    // `undeleted` is 0 here: a message of a merged call that SQS delivers again alone is a known limitation.
    ["forward: every, merged", { forward: "every", merges: true, chances: { ...everythingFails, undeleted: 0 } }],
    ["forward: changes, merged", { forward: "changes", merges: true, chances: { ...everythingFails, undeleted: 0 } }],
  ])("%s", async (_, options) => {
    let merged = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), async (seed, history) => {
        const model = new DeliveryModel({ ...options, containers: 2, seed });
        await run(model, history);
        expect(model.profiles).toEqual(truthOf(history));
        merged += model.log.entries.filter(({ event }) => event === "merged").length;
      }),
      { numRuns: 300, endOnFailure: true },
    );
    expect(merged > 0).toBe(options.merges);
  });
});
