import type { Options } from "../../lambda/options";
import { bytesOf, evaluationPayload, flagPayload } from "../cloud/events";
import { type Operator, runLocal, runOnAws } from "./commands";
import { type Pipeline, startPipeline } from "./pipeline";

let pipeline: Pipeline;
const start = async (options: Options = {}) => {
  pipeline = await startPipeline({ options });
};
afterEach(async () => {
  expect(pipeline.cloud.controlPlane.unexpected).toEqual([]);
  await pipeline.stop();
});

const command = (args: readonly string[], operator: Operator = {}) => runLocal(pipeline, ["trace", ...args], operator);
const onAws = (args: readonly string[], operator: Operator = {}) => runOnAws(pipeline, ["trace", ...args], operator);
const state = () => pipeline.cloud.controlPlane.state;
const evaluation = (identity: string) => bytesOf(evaluationPayload({ identity }));
const saw = (event: string, times = 1) =>
  pipeline.until(() => pipeline.log.filter((line) => line.event === event).length === times);

const HOUR = 3_600_000;
const PREFIX = "FlagsmithToSegment-production";
/** An entry of the log, some seconds before now. */
const entry = (service: string, event: string, secondsAgo: number, more: object = {}) => {
  const timestamp = new Date(Date.now() - 1_000 * secondsAgo).toISOString();
  return { service, event, timestamp, messageId: `${PREFIX}-abcdefghijklmno=`, userId: "ann", ...more };
};

describe("trace", () => {
  it("shows the entries of both functions in order, by message and by user", async () => {
    await start();
    const flags = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));
    const { messageId } = await pipeline.post(bytesOf(evaluationPayload({ identity: "erin", flags })));
    await saw("delivered", 2);
    const { out, code } = await command([messageId]);
    expect(out).toMatch(
      /receive +accepted[\s\S]*deliver +delivered[\s\S]*deliver +delivered[\s\S]*\ndelivered \d+ ms after reception$/,
    );
    expect(code).toBe(0);
    const entries = JSON.parse((await command(["erin", "--json"])).out);
    expect(entries).toMatchObject([{ event: "accepted", messageId }, { event: "delivered" }, { event: "delivered" }]);
  });

  it("fits a terminal of 80 columns, and has no empty column", async () => {
    await start();
    const { messageId } = await pipeline.post(evaluation("ann"));
    await saw("delivered");
    const { out } = await command(["ann"]);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    const lines = out.split("\n");
    expect(lines.slice(0, 3)).toEqual([
      expect.stringMatching(/^on \d{4}-\d\d-\d\d, UTC$/),
      `messageId ${messageId}`,
      expect.stringMatching(/^time +service +event +attempt +status$/),
    ]);
    expect(lines).toHaveLength(6);
  });

  it("finds an asterisk as it is, though CloudWatch finds more by it", async () => {
    await start();
    for (const identity of ["ann", "ann*"]) await pipeline.post(evaluation(identity));
    await saw("delivered", 2);
    const entries = JSON.parse((await command(["ann*", "--json"])).out);
    expect(entries.map(({ userId }: Record<string, unknown>) => userId)).toEqual(["ann*", "ann*"]);
  });

  it("hashes a user where the entries do, and names saved queries on AWS only", async () => {
    await start({ logUserId: "hashed" });
    await pipeline.post(evaluation("frank"));
    await saw("delivered");
    expect((await command(["frank"])).out).toMatch(/delivered \d+ ms after reception$/);
    const nobody = "no entry about grace in the last 24 hours. Did Flagsmith send a webhook?";
    expect(await command(["grace"])).toMatchObject({ code: 1, out: nobody });
    expect(await onAws(["grace"])).toMatchObject({ code: 1, out: `${nobody} Saved query: Who is left out` });
  });

  it.each<[string, readonly (readonly [event: string, secondsAgo: number, more?: object])[], string | RegExp]>([
    ["only accepted", [], "accepted: deliver has logged nothing about it yet"],
    ["delivered", [["delivered", 1, { latencyMs: 107 }]], "delivered 107 ms after reception"],
    [
      "delivered late",
      [
        ["retrying", 9],
        ["delivered", 1, { latencyMs: 11_580_000 }],
      ],
      "delivered 3 h 13 min after reception",
    ],
    ["delivered in a merged call", [["merged", 1, { latencyMs: 2_000 }]], "delivered in a merged call 2 s after reception"],
    [
      "delivered and not recorded",
      [
        ["delivered", 1, { latencyMs: 5 }],
        ["not-recorded", 1],
      ],
      "delivered 5 ms after reception",
    ],
    ["unchanged", [["unchanged", 1]], "unchanged: Segment has these traits, nothing was sent"],
    ["a dry run", [["dry-run", 1]], "logged: option dryRun is on, nothing was sent"],
    [
      "dead-lettered",
      [
        ["retrying", 9],
        ["dead-lettered", 1, { ageMs: 11_580_000, reason: "isolated-failure" }],
      ],
      "dead-lettered after 3 h 13 min: isolated-failure",
    ],
    [
      "refused",
      [["retrying", 10, { attempt: 7, retryInSeconds: 50, status: 503, code: "server-error", reason: "status 503" }]],
      /^waiting: attempt 7, next in (40|39) s, because Segment answered 503$/,
    ],
    [
      "not answered, and due",
      [["retrying", 10, { attempt: 2, retryInSeconds: 5, code: "no-answer", reason: "ECONNREFUSED" }]],
      /^waiting: attempt 2, the next is due, because http:\S+ refuses connections: nothing listens there$/,
    ],
    [
      "not read by the table",
      [["retrying", 10, { attempt: 1, retryInSeconds: 5, code: "table-failed", reason: "table t: timeout" }]],
      "waiting: attempt 1, the next is due, because DynamoDB failed (table t: timeout)",
    ],
    [
      "without a write key",
      [["retrying", 10, { attempt: 1, retryInSeconds: 5, code: "parameter-missing" }]],
      "waiting: attempt 1, the next is due, because of parameter-missing",
    ],
  ])("ends with a sentence about a message that is %s", async (_, ofDeliver, sentence) => {
    await start();
    state().entries = [
      entry("receive", "accepted", 20, { calls: 1 }),
      ...ofDeliver.map(([event, secondsAgo, more]) => entry("deliver", event, secondsAgo, more)),
    ];
    const last = (await command(["ann"])).out.split("\n").at(-1);
    expect(last).toEqual(typeof sentence === "string" ? sentence : expect.stringMatching(sentence));
  });

  it.each<[string, string, string]>([
    ["ignored", "an option skips it", "ignored: an option skips it"],
    ["invalid", "flags: expected a list", "refused: the body is no evaluation that this release reads: flags: expected a list"],
  ])("ends with why a webhook was %s", async (event, reason, sentence) => {
    await start();
    state().entries = [entry("receive", event, 1, { reason })];
    expect((await command(["ann"])).out.split("\n").at(-1)).toBe(sentence);
  });

  it("ends with how many evaluations ended how, and the last one", async () => {
    await start();
    const ofId = (id: string) => ({ messageId: `${PREFIX}-${id}=` });
    state().entries = [
      entry("receive", "accepted", 90, ofId("a")),
      entry("deliver", "delivered", 80, { ...ofId("a"), latencyMs: 5 }),
      entry("receive", "accepted", 70, ofId("b")),
      entry("deliver", "unchanged", 60, ofId("b")),
      entry("receive", "accepted", 5, ofId("c")),
    ];
    expect((await command(["ann"])).out.split("\n").at(-1)).toBe(
      "3 evaluations: 1 delivered, 1 unchanged, 1 accepted; the last one is accepted: deliver has logged nothing about it yet",
    );
  });

  it("says which part of an evaluation is not delivered", async () => {
    await start();
    state().entries = [
      entry("receive", "accepted", 20, { calls: 2 }),
      entry("deliver", "delivered", 10, { messageId: `${PREFIX}-abcdefghijklmno=-1`, latencyMs: 9 }),
    ];
    expect((await command(["ann"])).out).toMatch(/\ndelivered 9 ms after reception; 1 of 2 parts not yet$/);
  });

  it("shows how many events of experiments went with a call", async () => {
    await start();
    state().entries = [
      entry("receive", "accepted", 20),
      entry("deliver", "delivered", 10, { attempt: 1, status: 200, experiments: 3 }),
    ];
    const { out } = await command(["ann"]);
    expect(out).toMatch(/\ntime +service +event +attempt +status +experiments\n/);
    expect(out).toMatch(/deliver +delivered +1 +200 +3\n/);
  });

  it("prints a remedy and a long reason below the table", async () => {
    await start();
    const reason = `${"/p/".repeat(30)}: parameter-missing`;
    state().entries = [
      entry("receive", "accepted", 20),
      entry("deliver", "retrying", 10, { attempt: 1, code: "parameter-missing", reason, remedy: "aws ssm put-parameter" }),
    ];
    const { out } = await command(["ann"]);
    expect(out).toMatch(new RegExp(`\\n\\S+ ${reason}\\nremedy: aws ssm put-parameter\\nwaiting: `));
    expect(out).toMatch(/\ntime +service +event +attempt +code\n/);
  });
});

describe("a search of the log", () => {
  it("goes hour by hour and page by page, and gives the entries in order", async () => {
    await start();
    state().entries = [3, 2, 1].map((hours) => entry("deliver", "delivered", hours * 3_600, { latencyMs: hours }));
    state().pageSize = 1;
    const { out, code } = await command(["ann", "--json", "--hours", "5"]);
    expect(JSON.parse(out).map(({ latencyMs }: Record<string, unknown>) => latencyMs)).toEqual([3, 2, 1]);
    expect(code).toBe(0);
  });

  it("goes back from the newest hour, says how far, and ends when its time is used up, with what it found and the saved query", async () => {
    await start();
    state().entries = [entry("deliver", "delivered", 1, { latencyMs: 5 })];
    const now = jest.spyOn(Date, "now");
    let passed = 0;
    const began = Date.now();
    // Each look at the clock takes a second.
    now.mockImplementation(() => began + 1_000 * passed++);
    try {
      const { out, progress, code } = await onAws(["ann", "--hours", "48", "--seconds", "40"]);
      const times = [...progress.matchAll(/^searched back to (\S+)$/gm)].map(([, time = ""]) => Date.parse(time));
      expect(times.length).toBeGreaterThan(1);
      expect(times).toEqual([...times].sort((one, other) => other - one));
      expect(out).toMatch(
        /delivered 5 ms after reception\nsearched back to \S+ only, because the time is used up\. Saved query: What/,
      );
      expect(code).toBe(0);
    } finally {
      now.mockRestore();
    }
  });

  it("ends, and not the command, when AWS throttles it", async () => {
    await start();
    state().entries = [entry("deliver", "delivered", 1, { latencyMs: 5 })];
    let calls = 0;
    state().refused = { FilterLogEvents: () => (++calls > 4 ? "ThrottlingException" : undefined) };
    const found = await onAws(["ann"]);
    expect(found).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\nsearched back to .* because AWS throttles the search\./),
    });
    calls = 4;
    const nothing = await onAws(["ann"]);
    expect(nothing).toMatchObject({ code: 1, out: expect.stringMatching(/throttles.*\nno entry about ann since then\./) });
  });

  it("ends when AWS repeats a page", async () => {
    await start();
    state().entries = [entry("deliver", "delivered", 1, { latencyMs: 5 })];
    state().repeatsToken = true;
    expect(await onAws(["ann"])).toMatchObject({ code: 0, out: expect.stringContaining("because AWS repeats a page") });
  });

  it("names the right that is missing", async () => {
    await start();
    state().refused = { FilterLogEvents: "AccessDeniedException" };
    expect(await onAws(["ann"])).toMatchObject({
      code: 1,
      progress: expect.stringMatching(/; your credentials need logs:FilterLogEvents$/),
    });
  });

  it("does not look further back than it was told", async () => {
    await start();
    state().entries = [entry("deliver", "delivered", (3 * HOUR) / 1_000)];
    expect((await command(["ann", "--hours", "2"])).code).toBe(1);
    expect((await command(["ann", "--hours", "4"])).code).toBe(0);
  });
});
