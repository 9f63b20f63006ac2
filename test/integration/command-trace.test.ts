import { conclusionOf } from "../../infra/cli/conclusion";
import { entriesTable } from "../../infra/cli/entries-table";
import { bytesOf, evaluationPayload, flagPayload, NOON } from "../cloud/events";
import { logEntry, usePipeline } from "./commands";

const { pipeline, state, restartWith, post, saw, local, onAws } = usePipeline("trace");

/** An entry of deliver about message `m`. */
const entry = (event: string, secondsAgo = 10, more: object = {}) => {
  return { at: NOON - 1_000 * secondsAgo, fields: { service: "deliver", messageId: "m", event, ...more } };
};
const received = (event = "accepted", more: object = {}) => entry(event, 20, { service: "receive", ...more });
const retrying = (code: string, more: object = {}) => entry("retrying", 10, { attempt: 2, retryInSeconds: 5, code, ...more });

describe("trace", () => {
  it("shows the entries of both functions in order, by message and by user, and ends with what became of them", async () => {
    const flags = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));
    const { messageId } = await pipeline().post(bytesOf(evaluationPayload({ identity: "erin", flags })));
    await saw("delivered", 2);
    const { out, code } = await local([messageId]);
    expect(out).toMatch(
      /receive +accepted[\s\S]*deliver +delivered[\s\S]*deliver +delivered[\s\S]*\ndelivered \d+ ms after reception$/,
    );
    expect(code).toBe(0);
    const entries = JSON.parse((await local(["erin", "--json"])).out);
    expect(entries).toMatchObject([{ event: "accepted", messageId }, { event: "delivered" }, { event: "delivered" }]);
  });

  it("finds an asterisk as it is, though CloudWatch finds more by it", async () => {
    for (const identity of ["ann", "ann*"]) await post(identity);
    await saw("delivered", 2);
    const entries = JSON.parse((await local(["ann*", "--json"])).out);
    expect(entries).toMatchObject([{ userId: "ann*" }, { userId: "ann*" }]);
  });

  it("finds a user whose long id the entries cut, and the messages of a merged call", async () => {
    const identity = `x${"ü".repeat(60)}`;
    await post(identity);
    await saw("delivered");
    expect(JSON.parse((await local([identity, "--json"])).out)).toHaveLength(2);
    state().entries = [logEntry("deliver", "merged", 0.1, { messageId: "m-1", mergedInto: "merged-1" })];
    expect(JSON.parse((await local(["merged-1", "--json"])).out)).toMatchObject([{ messageId: "m-1" }]);
  });

  it("says when the next attempt is due, and which endpoint did not answer", async () => {
    const { fields } = retrying("no-answer", { retryInSeconds: 1_800, reason: "ECONNREFUSED", userId: "ann" });
    state().entries = [logEntry("deliver", "retrying", 10 / 3_600, fields)];
    const { out } = await local(["ann"]);
    expect(out).toMatch(/\nwaiting: attempt 2, next in \d+ \w+, because http:\/\/127\.0\.0\.1:\d+ refuses connections/);
  });

  it("hashes a user where the entries do, and names saved queries on AWS only", async () => {
    await restartWith({ logUserId: "hashed" });
    await post("frank");
    await saw("delivered");
    expect((await local(["frank"])).out).toMatch(/delivered \d+ ms after reception$/);
    const nobody = "no entry about grace in the last 24 hours. Did Flagsmith send a webhook?";
    expect(await local(["grace"])).toMatchObject({ code: 1, out: nobody });
    expect(await onAws(["grace"])).toMatchObject({ code: 1, out: `${nobody} Saved query: Who is left out` });
  });
});

describe("the table of entries", () => {
  it("fits a terminal of 80 columns, and has no empty column", async () => {
    const { messageId } = await post("ann");
    await saw("delivered");
    const lines = (await local(["ann"])).out.split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.slice(0, 3)).toEqual([
      expect.stringMatching(/^on \d{4}-\d\d-\d\d, UTC$/),
      `messageId ${messageId}`,
      expect.stringMatching(/^time +service +event +attempt +status$/),
    ]);
    expect(lines).toHaveLength(6);
  });

  it("shows how many events of experiments went with a call", () => {
    const table = entriesTable([received(), entry("delivered", 10, { attempt: 1, status: 200, experiments: 3 })]);
    expect(table).toMatch(/\ntime +service +event +messageId +attempt +status +experiments\n/);
    expect(table).toMatch(/deliver +delivered +m +1 +200 +3$/);
  });

  it("is followed by a long reason and the remedy", () => {
    const reason = `${"/p/".repeat(30)}: parameter-missing`;
    const table = entriesTable([received(), retrying("parameter-missing", { reason, remedy: "aws ssm put-parameter" })]);
    expect(table).toMatch(/\ntime +service +event +attempt +code +retry s\n/);
    expect(table).toMatch(new RegExp(`\\n\\S+ ${reason}\\nremedy: aws ssm put-parameter$`));
  });
});

describe("the conclusion", () => {
  const late = { ageMs: 11_580_000, latencyMs: 11_580_000, reason: "isolated-failure" };
  const refused = { attempt: 7, retryInSeconds: 50, status: 503, reason: "status 503" };
  const partOf = { messageId: "m-1", latencyMs: 9 };

  it.each<[string, readonly ReturnType<typeof entry>[], string]>([
    ["accepted", [received()], "accepted: deliver has logged nothing about it yet"],
    ["ignored", [received("ignored", { reason: "an option skips it" })], "ignored: an option skips it"],
    [
      "invalid",
      [received("invalid", { reason: "flags: expected a list" })],
      "refused: the body is no evaluation that this release reads: flags: expected a list",
    ],
    ["delivered", [received(), entry("delivered", 1, { latencyMs: 107 })], "delivered 107 ms after reception"],
    ["delivered late", [retrying("no-answer"), entry("delivered", 1, late)], "delivered 3 h 13 min after reception"],
    ["merged", [entry("merged", 1, { latencyMs: 2_000 })], "delivered in a merged call 2 s after reception"],
    [
      "not recorded",
      [entry("delivered", 1, { latencyMs: 5 }), entry("not-recorded", 1), entry("parameter-stale", 1)],
      "delivered 5 ms after reception",
    ],
    [
      "delivered in part",
      [received("accepted", { calls: 2 }), entry("delivered", 10, partOf)],
      "delivered 9 ms after reception; 1 of 2 parts not yet",
    ],
    [
      "delivered in parts, one of them late",
      [
        received("accepted", { calls: 2 }),
        entry("delivered", 10, { messageId: "m-2", latencyMs: 720_000 }),
        entry("delivered", 9, partOf),
      ],
      "delivered 12 min after reception",
    ],
    [
      "refused in part",
      [
        received("accepted", { calls: 2 }),
        retrying("server-error", { ...refused, messageId: "m-2" }),
        entry("delivered", 1, partOf),
      ],
      "waiting: attempt 7, next in 40 s, because Segment answered 503",
    ],
    ["unchanged", [received(), entry("unchanged")], "unchanged: Segment has these traits, nothing was sent"],
    ["a dry run", [received(), entry("dry-run")], "logged: option dryRun is on, nothing was sent"],
    ["dead-lettered", [retrying("x"), entry("dead-lettered", 1, late)], "dead-lettered after 3 h 13 min: isolated-failure"],
    ["refused", [retrying("server-error", refused)], "waiting: attempt 7, next in 40 s, because Segment answered 503"],
    [
      "not answered, and due",
      [retrying("no-answer", { reason: "ECONNREFUSED" })],
      "waiting: attempt 2, the next is due, because http://segment refuses connections: nothing listens there",
    ],
    [
      "not read by the table",
      [retrying("table-failed", { reason: "table t: timeout" })],
      "waiting: attempt 2, the next is due, because DynamoDB failed (table t: timeout)",
    ],
    [
      "without a write key",
      [retrying("parameter-missing")],
      "waiting: attempt 2, the next is due, because of parameter-missing",
    ],
    [
      "one of several",
      [
        received("accepted", { messageId: "a" }),
        received("accepted", { messageId: "b" }),
        entry("unchanged", 10, { messageId: "b" }),
        received(),
        entry("delivered", 9, { messageId: "a", latencyMs: 5 }),
      ],
      "3 evaluations: 1 unchanged, 1 accepted, 1 delivered; the last one is delivered 5 ms after reception",
    ],
  ])("is one sentence about an evaluation that is %s", (_, entries, sentence) => {
    expect(conclusionOf(entries, { nowMs: NOON, endpoint: "http://segment" })).toBe(sentence);
  });
});

describe("a search of the log", () => {
  const deliveredAgo = (hours: number) =>
    logEntry("deliver", "delivered", hours, { messageId: "m", userId: "ann", latencyMs: hours });

  it("goes hour by hour and page by page, and gives the entries in order", async () => {
    state().entries = [3, 2, 1].map(deliveredAgo);
    state().pageSize = 1;
    const { out, code } = await local(["ann", "--json", "--hours", "5"]);
    expect(JSON.parse(out)).toMatchObject([{ latencyMs: 3 }, { latencyMs: 2 }, { latencyMs: 1 }]);
    expect(code).toBe(0);
  });

  it("does not look further back than it was told", async () => {
    state().entries = [deliveredAgo(3)];
    const none = { code: 1, out: "[]", progress: expect.stringContaining("no entry about ann in the last 2 hours") };
    expect(await local(["ann", "--hours", "2", "--json"])).toMatchObject(none);
    expect((await local(["ann", "--hours", "4"])).code).toBe(0);
    // AWS's clock may be ahead of this machine's.
    state().entries = [deliveredAgo(-0.1)];
    expect((await local(["ann", "--hours", "2"])).code).toBe(0);
  });

  it("goes back from the newest hour, says how far, and ends when its time is used up, with what it found and the saved query", async () => {
    state().entries = [deliveredAgo(0.01)];
    const began = Date.now();
    let passed = 0;
    // Each look at the clock takes a second.
    const now = jest.spyOn(Date, "now").mockImplementation(() => began + 1_000 * passed++);
    const { out, progress, code } = await onAws(["ann", "--hours", "48", "--seconds", "40"]).finally(() => now.mockRestore());
    const times = [...progress.matchAll(/^searched back to (\S+)$/gm)].map(([, time = ""]) => Date.parse(time));
    expect(times.length).toBeGreaterThan(1);
    expect(times).toEqual([...times].sort((one, other) => other - one));
    expect(out).toMatch(/after reception\nsearched back to \S+ only, because the time is used up\. Saved query: What/);
    expect(code).toBe(0);
  });

  it("ends, and not the command, when AWS throttles it", async () => {
    state().entries = [deliveredAgo(0.01)];
    let calls = 0;
    state().refused = { FilterLogEvents: () => (++calls > 4 ? "ThrottlingException" : undefined) };
    const found = await onAws(["ann"]);
    expect(found.out).toMatch(/\nsearched back to .* because AWS throttles the search\./);
    expect(found.code).toBe(0);
    calls = 4;
    const nothing = await onAws(["ann"]);
    expect(nothing.out).toMatch(/throttles.*\nno entry about ann since then\./);
    expect(nothing.code).toBe(1);
  });

  it("ends when AWS repeats a page", async () => {
    state().entries = [deliveredAgo(0.01)];
    state().repeatsToken = true;
    expect(await onAws(["ann"])).toMatchObject({ code: 0, out: expect.stringContaining("because AWS repeats a page") });
  });
});
