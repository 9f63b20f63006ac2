import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { hashIdentity } from "../../lambda/identify-call";
import type { Options } from "../../lambda/options";
import { bytesOf, callBody, evaluationPayload, flagPayload } from "../cloud/events";
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

const command = (args: readonly string[], operator: Operator = {}) => runLocal(pipeline, ["dead-letters", ...args], operator);
const queue = () => pipeline.cloud.deadLetterQueue.queue;
const state = () => pipeline.cloud.controlPlane.state;
const attribute = (value: string) => ({ DataType: "String", StringValue: value });

interface DeadLetter {
  readonly identity: string;
  readonly messageId: string;
  /** Milliseconds before now. */
  readonly ageMs?: number;
  readonly traits?: Readonly<Record<string, string>>;
}

function addDeadLetter({ identity, messageId, ageMs = 3_600_000, traits = {} }: DeadLetter): void {
  const call = JSON.parse(callBody({ identity, messageId, traits }));
  const body = JSON.stringify({ ...call, timestamp: new Date(Date.now() - ageMs).toISOString() });
  const attributes = { reason: attribute("isolated-failure"), status: attribute("400"), messageId: attribute(messageId) };
  queue().send({ body, groupId: identity, deduplicationId: `${messageId} ${queue().size}`, attributes });
}

/** Two copies of a rejected call, an unreadable message, and one that expired. */
function addFour(): void {
  addDeadLetter({ identity: "carol", messageId: "m-rejected-1", traits: { secret_plan: "gold" } });
  addDeadLetter({ identity: "carol", messageId: "m-rejected-1", traits: { secret_plan: "gold" } });
  queue().send({ body: "hello", groupId: "x", deduplicationId: "3", attributes: { reason: attribute("unreadable-message") } });
  addDeadLetter({ identity: "dave", messageId: "m-old-1" });
}

/** Log entries of an evaluation that Segment has. */
function delivered(identity: string, messageId: string, ageMs: number) {
  const timestamp = new Date(Date.now() - ageMs).toISOString();
  const about = { userId: identity, messageId, timestamp };
  return [
    { service: "receive", event: "accepted", ...about },
    { service: "deliver", event: "delivered", ...about },
  ];
}

const idsIn = (messages: readonly { readonly body: string }[]) => messages.map(({ body }) => JSON.parse(body).messageId);

describe("dead-letters", () => {
  it("lists them without trait values, and hides nothing by it", async () => {
    await start();
    addFour();
    const { code, out } = await command([]);
    const [header = "", ...rows] = out.split("\n");
    expect(header.split(/ +/)).toEqual(["messageId", "reason", "status", "userId", "bytes", "evaluated"]);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 2))).toEqual([
      ["m-rejected-1", "isolated-failure"],
      ["m-rejected-1", "isolated-failure"],
      [expect.stringMatching(/^[\da-f-]{36}$/), "unreadable-message"],
      ["m-old-1", "isolated-failure"],
      ["4 dead letters"],
    ]);
    expect(out).not.toContain("gold");
    expect(code).toBe(0);
    expect(queue().inFlight).toBe(0);
    const shown = JSON.parse((await command(["--json", "--show"])).out);
    expect(shown[0]).toMatchObject({ userId: "carol", status: "400", traits: { secret_plan: "gold" } });
  });

  it("names users as the log does, unless asked", async () => {
    await start({ logUserId: "hashed" });
    addFour();
    const [hidden] = JSON.parse((await command(["--json"])).out);
    expect(hidden.userId).toBe(hashIdentity("carol"));
    const [shown] = JSON.parse((await command(["--json", "--show"])).out);
    expect(shown.userId).toBe("carol");
  });

  it("says what another reader holds, and does not redrive it unchecked", async () => {
    await start();
    addFour();
    queue().receive(3, 60_000);
    const { code, out } = await command([]);
    expect(out).toMatch(/\n1 dead letter\n3 are held by another reader; try again in 2 minutes$/);
    expect(code).toBe(0);
    for (const args of [["--redrive"], ["--redrive", "--newest"]]) {
      const ran = await command([...args, "--yes"]);
      expect(ran).toMatchObject({ code: 1, progress: expect.stringMatching(/^3 are held by another reader; try again/m) });
    }
    expect(queue().size).toBe(4);
  });

  it("counts what lies behind the ten messages of a user that SQS shows", async () => {
    await start();
    for (let i = 0; i < 12; i++) addDeadLetter({ identity: "carol", messageId: `m-${i}` });
    const { out } = await command(["--redrive"], { answer: false });
    expect(out).toMatch(
      /\n10 dead letters, 2 more behind them\n2 behind them were not checked for newer evaluations\.\nnothing/,
    );
    let asked = "";
    const answer = async (question: string) => {
      asked = question;
      return true;
    };
    expect(await command(["--redrive"], { answer })).toMatchObject({ code: 0, out: expect.stringMatching(/: 12 messages$/) });
    expect(asked).toBe("2 behind them were not checked for newer evaluations. Send all of them to Segment again?");
  });

  it("prints what it read although it may not make it visible again, and says for how long it is hidden", async () => {
    await start();
    addFour();
    state().refused = { ChangeMessageVisibilityBatch: "AccessDeniedException" };
    const startedAtMs = Date.now();
    const { code, out, progress } = await runOnAws(pipeline, ["dead-letters"]);
    expect(queue().nextVisibleAt).toBeGreaterThanOrEqual(startedAtMs + 120_000);
    expect(out.split("\n")).toHaveLength(6);
    expect(progress).toMatch(/hidden for 2 minutes, .*: your credentials need sqs:ChangeMessageVisibility/);
    expect(code).toBe(0);
  });

  it("prints what it read before reading failed", async () => {
    await start();
    for (const identity of ["carol", "dave"]) {
      for (let i = 0; i < 10; i++) addDeadLetter({ identity, messageId: `${identity}-${i}` });
    }
    let calls = 0;
    state().refused = { ReceiveMessage: () => (++calls > 1 ? "AccessDeniedException" : undefined) };
    for (const args of [[], ["--json"]]) {
      calls = 0;
      const { code, out, progress } = await runOnAws(pipeline, ["dead-letters", ...args]);
      expect(out).toContain("carol-9");
      expect(progress).toMatch(/ended early: your credentials need sqs:ReceiveMessage$/);
      expect(code).toBe(1);
    }
    expect(queue().inFlight).toBe(0);
  });

  it("prints what it read without the right to count", async () => {
    await start();
    addFour();
    state().refused = { GetQueueAttributes: "AccessDeniedException" };
    const { code, out, progress } = await runOnAws(pipeline, ["dead-letters"]);
    expect(out).toMatch(/\n4 dead letters$/);
    expect(progress).toContain("number of messages is not known: your credentials need sqs:GetQueueAttributes");
    expect(code).toBe(0);
  });

  it("makes the messages visible before Ctrl-C ends it", async () => {
    await start();
    addFour();
    const { port } = new URL(pipeline.cloud.webhookUrl);
    const { PATH, TMPDIR } = process.env;
    const child = spawn(process.execPath, ["--import", "tsx", "infra/cli/index.ts", "dead-letters", "--local"], {
      cwd: join(__dirname, "../.."),
      env: { PATH, TMPDIR, PORT: port },
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    await pipeline.until(() => queue().inFlight === 4);
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(queue().inFlight).toBe(0);
  });
});

describe("dead-letters --redrive", () => {
  it("asks, says what it would set back, and how many messages went", async () => {
    await start();
    addFour();
    await pipeline.post(bytesOf(evaluationPayload({ identity: "carol" })));
    await pipeline.until(() => pipeline.log.some(({ event }) => event === "delivered"));
    expect(await command(["--redrive"], { answer: false })).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\n2 of them are older than .*\(m-rejected-1\)\nnothing was sent again$/),
    });
    expect(await command(["--redrive"])).toMatchObject({ code: 1, progress: expect.stringContaining("add --yes") });
    const asJson = await command(["--redrive", "--json"], { answer: false });
    expect(JSON.parse(asJson.out).map(({ overtaken }: Record<string, unknown>) => overtaken)).toEqual(["yes", "yes", "", ""]);
    expect(asJson.progress).toMatch(/\nnothing was sent again$/);
    const { moves } = pipeline.cloud.fakeSqs;
    moves.push({ Status: "RUNNING", StartedTimestamp: 1, ApproximateNumberOfMessagesMoved: 0 });
    const running = await command(["--redrive", "--yes"]);
    expect(running).toMatchObject({ code: 1, progress: expect.stringContaining("is running already") });
    expect(queue().size).toBe(4);
    moves.length = 0;
    const { code, out } = await command(["--redrive", "--yes"]);
    expect(out).toMatch(/\nback in the queue: 4 messages$/);
    expect(code).toBe(0);
    await pipeline.identify("m-old-1");
  });

  it("waits for its own move, and not for an earlier one that SQS still lists as the newest", async () => {
    await start();
    addFour();
    const { fakeSqs } = pipeline.cloud;
    fakeSqs.moves.push({ Status: "COMPLETED", StartedTimestamp: 1, ApproximateNumberOfMessagesMoved: 99 });
    fakeSqs.movesListedLate = 2;
    expect((await command(["--redrive", "--yes"])).out).toMatch(/\nback in the queue: 4 messages$/);
  });

  it("does not count a part of the newest evaluation that Segment has as older", async () => {
    await start();
    const flags = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));
    await pipeline.post(bytesOf(evaluationPayload({ identity: "erin", flags })));
    // Deliver writes its entries when the batch is done: they are later than the evaluation and the latency say.
    await pipeline.until(() => pipeline.log.filter(({ event }) => event === "delivered").length === 2);
    const body = JSON.stringify(pipeline.cloud.segment.calls.at(-1)?.body);
    queue().send({ body, groupId: "erin", deduplicationId: "part", attributes: { reason: attribute("isolated-failure") } });
    const { out } = await command(["--redrive"], { answer: false });
    expect(out).toContain("1 dead letter\nnothing was sent again");
  });

  it.each<[string, string, RegExp]>([
    [
      "without the right to read the log",
      "AccessDeniedException",
      /not known whether.*: your credentials need logs:FilterLogEvents\. Saved query: What happened/,
    ],
    [
      "while AWS throttles the search",
      "ThrottlingException",
      /not known whether.*: AWS throttles the search\. Saved query: What happened/,
    ],
  ])("goes on %s, and says what it could not look up", async (_, refusal, said) => {
    await start();
    addFour();
    state().refused = { FilterLogEvents: refusal };
    const { code, out, progress } = await runOnAws(pipeline, ["dead-letters", "--redrive", "--yes"]);
    expect(progress).toMatch(/^of 2 users it is/m);
    expect(progress).toMatch(said);
    expect(out).toMatch(/^The messages of 2 users were not checked for newer evaluations\.\nback in the queue: 4 messages$/m);
    expect(code).toBe(0);
  });

  it("looks up more users than fit into one pattern", async () => {
    await start();
    const users = Array.from({ length: 40 }, (_, i) => `user-with-a-long-name-${i}`);
    for (const [i, identity] of users.entries()) addDeadLetter({ identity, messageId: `m-${i}` });
    state().entries = users.slice(30).flatMap((identity, i) => delivered(identity, `newer-${i}`, 60_000));
    const rows = JSON.parse((await command(["--redrive", "--json"], { answer: false })).out);
    const overtaken = rows.filter((row: Record<string, unknown>) => row.overtaken === "yes");
    expect(overtaken.map((row: Record<string, unknown>) => row.userId)).toEqual(users.slice(30));
  });
});

describe("dead-letters --redrive --newest", () => {
  it("sends the newest of each user with all its parts, and none that is older than what Segment has", async () => {
    await start();
    addDeadLetter({ identity: "carol", messageId: "c-old-1", ageMs: 5_000_000 });
    addDeadLetter({ identity: "carol", messageId: "c-new-1", ageMs: 4_000_000 });
    addDeadLetter({ identity: "carol", messageId: "c-new-2", ageMs: 4_000_000 });
    addDeadLetter({ identity: "carol", messageId: "c-new-2", ageMs: 4_000_000 });
    addDeadLetter({ identity: "dave", messageId: "d-1", ageMs: 4_000_000 });
    addDeadLetter({ identity: "erin", messageId: "e-1", ageMs: 4_000_000 });
    queue().send({ body: "hello", groupId: "x", deduplicationId: "x", attributes: {} });
    state().entries = [...delivered("dave", "d-newer-1", 3_000_000), ...delivered("erin", "e-older-1", 4_500_000)];
    let asked = "";
    const answer = async (question: string) => {
      asked = question;
      return true;
    };
    const { out, code } = await command(["--redrive", "--newest"], { answer });
    expect(asked).toBe("Send the newest of 2 users to Segment again, 3 messages?");
    expect(out).toMatch(
      /\nback in the queue: 3 messages\n3 older messages stay; --delete-older .*\n1 message can't be read, and stay/,
    );
    expect(code).toBe(0);
    await pipeline.until(() => pipeline.cloud.segment.calls.length === 3);
    expect(pipeline.cloud.segment.calls.map(({ messageId }) => messageId).sort()).toEqual(["c-new-1", "c-new-2", "e-1"]);
    expect(idsIn(queue().messages.filter(({ body }) => body !== "hello"))).toEqual(["c-old-1", "c-new-2", "d-1"]);
    expect(queue().inFlight).toBe(0);
  });

  it("sends nothing of a user whose newest SQS may not show, or whose log was not read", async () => {
    await start();
    for (let i = 0; i < 12; i++) addDeadLetter({ identity: "carol", messageId: `c${i}-1`, ageMs: 4_000_000 - i });
    const covered = await command(["--redrive", "--newest", "--yes"]);
    expect(covered.out).toMatch(
      /back in the queue: 0 messages\n9 older messages stay; .*\nof 1 user SQS does not show all messages/,
    );
    addDeadLetter({ identity: "dave", messageId: "d-1" });
    state().refused = { FilterLogEvents: "AccessDeniedException" };
    const unknown = await runOnAws(pipeline, ["dead-letters", "--redrive", "--newest", "--yes"]);
    expect(unknown.out).toMatch(/back in the queue: 0 messages\n.*\nof 2 users the log was not read far enough/);
    expect(queue().size).toBe(13);
  });

  it("deletes what something newer replaces with --delete-older, and so reaches what lies behind it", async () => {
    await start();
    for (let i = 0; i < 25; i++) addDeadLetter({ identity: "carol", messageId: `c${i}-1`, ageMs: 4_000_000 - i });
    addDeadLetter({ identity: "dave", messageId: "d-1", ageMs: 4_000_000 });
    state().entries = delivered("dave", "d-newer-1", 3_000_000);
    const { out, code } = await command(["--redrive", "--newest", "--delete-older", "--yes"]);
    expect(out).toMatch(/\nback in the queue: 1 message; deleted: 25 messages$/);
    expect(code).toBe(0);
    await pipeline.identify("c24-1");
    expect(pipeline.cloud.segment.calls).toHaveLength(1);
    expect(queue().size).toBe(0);
  });

  it("sends nothing if the operator says no", async () => {
    await start();
    addFour();
    const { out, code } = await command(["--redrive", "--newest"], { answer: false });
    expect(out).toMatch(/\nnothing was sent again$/);
    expect([code, queue().size]).toEqual([0, 4]);
  });
});

describe("dead-letters --delete", () => {
  it("deletes every copy of a message, and no other", async () => {
    await start();
    addFour();
    expect(await command(["--delete", "m-rejected-1"], { answer: false })).toMatchObject({ out: "nothing was deleted" });
    expect(queue().size).toBe(4);
    const { out } = await command(["--delete", "m-rejected-1"], { answer: true });
    expect(out).toBe("deleted m-rejected-1: 2 copies");
    expect([queue().size, queue().inFlight]).toEqual([2, 0]);
    const none = await command(["--delete", "m-rejected-1", "--yes"]);
    expect(none).toMatchObject({ code: 1, progress: expect.stringContaining("no message m-rejected-1 among the 2") });
    const [unreadable] = JSON.parse((await command(["--json"])).out);
    await command(["--delete", unreadable.messageId, "--yes"]);
    expect(idsIn(queue().messages)).toEqual(["m-old-1"]);
  });

  it("says that a message is still there which another reader holds while it is to be deleted", async () => {
    await start();
    addFour();
    const answer = async () => queue().receive(10, 60_000).length > 0;
    const ran = await command(["--delete", "m-rejected-1"], { answer });
    expect(ran).toMatchObject({
      code: 1,
      progress: expect.stringMatching(/^deleted m-rejected-1: 0 copies of 2; another reader/m),
    });
    expect(queue().size).toBe(4);
    const held = await command(["--delete", "m-rejected-1", "--yes"]);
    expect(held.progress).toMatch(/; 4 are held by another reader; try again in 2 minutes$/);
  });
});
