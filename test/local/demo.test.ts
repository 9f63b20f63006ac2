import { run } from "../../infra/cli/commands";
import { composeDeliver, composeReceive } from "../../lambda/wiring";
import { startPipeline } from "../integration/pipeline";
import { DEMO_USERS, hurriedMachine, runDemo } from "./demo";

/** 3 hours become 4.5 s, and one hour becomes 1.5 s. */
const DIVISOR = 2_400;
const ROUND_MS = 100;
/** The test takes 10 s of real time. It takes longer on a busy machine, because a stall of 250 ms lets a streak begin anew. */
const MAX_MS = 180_000;

describe("the demo", () => {
  it("sends each user's evaluations in turn until it is to end", async () => {
    const sent: unknown[] = [];
    const pauses: number[] = [];
    await runDemo({
      send: async (body) => sent.push(JSON.parse(body.toString()).identity),
      pause: async (milliseconds) => pauses.push(milliseconds) < 6,
      roundMs: 1_000,
    });
    expect(sent).toEqual([...DEMO_USERS, ...DEMO_USERS.slice(0, 2)]);
    expect(pauses).toEqual(Array(6).fill(250));
  });

  it(
    "dead-letters one user's calls while the others' are accepted, and a redrive delivers them",
    async () => {
      const pipeline = await startPipeline({
        load: ({ receive, deliver }) => {
          const machine = hurriedMachine(DIVISOR);
          return { receive: composeReceive(receive, machine), deliver: composeDeliver(deliver, machine) };
        },
      });
      const { cloud, until, post } = pipeline;
      let sending = true;
      try {
        cloud.segment.mode = "reject";
        const demo = runDemo({
          send: (body) => post(body),
          pause: (milliseconds) => new Promise((resolve) => setTimeout(() => resolve(sending), milliseconds)),
          roundMs: ROUND_MS,
        });
        const has = (event: string, userId: string) =>
          pipeline.log.some((entry) => entry.event === event && entry.userId === userId);
        await until(() => has("dead-lettered", "ann"));
        sending = false;
        await demo;
        const deadLettered = pipeline.log.filter(({ event }) => event === "dead-lettered");
        expect(new Set(deadLettered.map(({ userId }) => userId))).toEqual(new Set(["ann"]));
        const answer = await fetch(new URL("/segment?mode=ok", cloud.webhookUrl), { method: "POST" });
        expect(await answer.text()).toBe("Segment: ok\n");
        const terminal = { print: () => {}, progress: () => {}, confirm: async () => true, onInterrupt: () => () => {} };
        const environment = { PORT: new URL(cloud.webhookUrl).port };
        const code = await run(["dead-letters", "--local", "--redrive"], { ...terminal, environment });
        expect(code).toBe(0);
        await until(() => cloud.queue.queue.size + cloud.deadLetterQueue.queue.size === 0);
        expect(has("delivered", "ann") || has("merged", "ann")).toBe(true);
      } finally {
        sending = false;
        await pipeline.stop();
      }
    },
    MAX_MS,
  );
});
