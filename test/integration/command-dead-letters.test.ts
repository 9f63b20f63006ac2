import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { hashIdentity } from "../../lambda/identify-call";
import { bytesOf, callBody, evaluationPayload, flagPayload } from "../cloud/events";
import { logEntry, usePipeline } from "./commands";

const { pipeline, cloud, state, restartWith, post, saw, local, onAws } = usePipeline("dead-letters");

const queue = () => cloud().deadLetterQueue.queue;
const attribute = (value: string) => ({ DataType: "String", StringValue: value });
const idsIn = (messages: readonly { readonly body: string }[]) => messages.map(({ body }) => JSON.parse(body).messageId);

function addDeadLetter(identity: string, messageId: string, ageMs = 3_600_000): void {
  const call = JSON.parse(callBody({ identity, messageId, traits: { secret_plan: "gold" } }));
  const body = JSON.stringify({ ...call, timestamp: new Date(Date.now() - ageMs).toISOString() });
  const attributes = { reason: attribute("isolated-failure"), status: attribute("400"), messageId: attribute(messageId) };
  queue().send({ body, groupId: identity, deduplicationId: `${messageId} ${queue().size}`, attributes });
}

function addUnreadable(): void {
  queue().send({ body: "hello", groupId: "x", deduplicationId: "x", attributes: { reason: attribute("unreadable-message") } });
}

/** Two copies of a rejected call, an unreadable message, and one that expired. */
function addFour(): void {
  addDeadLetter("carol", "m-rejected-1");
  addDeadLetter("carol", "m-rejected-1");
  addUnreadable();
  addDeadLetter("dave", "m-old-1");
}

/** Messages `<identity>-0`, `<identity>-1` and so on. Each is a millisecond newer than the one before. */
function addMany(identity: string, number: number): void {
  for (let i = 0; i < number; i++) addDeadLetter(identity, `${identity}${i}-1`, 4_000_000 - i);
}

/** Log entries of an evaluation that Segment has. */
function delivered(userId: string, messageId: string, hoursAgo: number, event = "delivered") {
  const about = { userId, messageId };
  return [logEntry("receive", "accepted", hoursAgo, about), logEntry("deliver", event, hoursAgo, about)];
}

describe("dead-letters", () => {
  it("lists them without trait values, and hides nothing by it", async () => {
    addFour();
    addDeadLetter("erin\nm-forged  isolated-failure", "m-5");
    const { code, out } = await local();
    const [header = "", ...rows] = out.split("\n");
    expect(header.split(/ +/)).toEqual(["messageId", "reason", "status", "userId", "bytes", "evaluated"]);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 2))).toEqual([
      ["m-rejected-1", "isolated-failure"],
      ["m-rejected-1", "isolated-failure"],
      [expect.stringMatching(/^[\da-f-]{36}$/), "unreadable-message"],
      ["m-old-1", "isolated-failure"],
      ["m-5", "isolated-failure"],
      ["5 dead letters"],
    ]);
    expect(out).not.toContain("gold");
    expect([code, queue().inFlight]).toEqual([0, 0]);
  });

  it("names users as the log does, and without their traits, unless asked", async () => {
    await restartWith({ logUserId: "hashed" });
    addDeadLetter("carol", "m-1");
    addUnreadable();
    const [hidden, unreadable] = JSON.parse((await local(["--json"])).out);
    expect(hidden.userId).toBe(hashIdentity("carol"));
    expect(hidden).not.toHaveProperty("traits");
    expect(unreadable.userId).toBe("");
    expect(Date.parse(unreadable.receivedAt)).toBeGreaterThan(Date.now() - 600_000);
    const [shown] = JSON.parse((await local(["--json", "--show"])).out);
    const { body = "" } = queue().messages[0] ?? {};
    const about = { bytes: Buffer.byteLength(body), receivedAt: JSON.parse(body).timestamp };
    expect(shown).toMatchObject({ userId: "carol", status: "400", traits: { secret_plan: "gold" }, ...about });
  });

  it("says what another reader holds, and does not redrive it unchecked", async () => {
    addFour();
    queue().receive(3, 60_000);
    const { code, out } = await local();
    expect(out).toMatch(/\n1 dead letter\n3 are held by another reader; try again in 2 minutes$/);
    expect(code).toBe(0);
    for (const args of [["--redrive"], ["--redrive", "--newest"]]) {
      const ran = await local([...args, "--yes"]);
      expect(ran).toMatchObject({ code: 1, progress: expect.stringMatching(/^3 are held by another reader; try again/m) });
    }
    expect(queue().size).toBe(4);
  });

  it("counts what lies behind the ten messages of a user that SQS shows", async () => {
    addMany("carol", 12);
    const { code, out, questions } = await local(["--redrive"], { answer: true });
    expect(out).toMatch(/\n10 dead letters, 2 more behind them\n2 behind them were not checked .*\n.*: 12 messages$/);
    expect(questions).toEqual(["2 behind them were not checked for newer evaluations. Send all of them to Segment again?"]);
    expect(code).toBe(0);
  });

  it("prints what it read without the rights to count and to make it visible again, and says for how long it is hidden", async () => {
    addFour();
    state().refused = { ChangeMessageVisibilityBatch: "AccessDeniedException", GetQueueAttributes: "AccessDeniedException" };
    const startedAtMs = Date.now();
    const { code, out, progress } = await onAws();
    expect(queue().nextVisibleAt).toBeGreaterThanOrEqual(startedAtMs + 120_000);
    expect(out).toMatch(/\n4 dead letters$/);
    expect(progress).toContain("number of messages is not known: your credentials need sqs:GetQueueAttributes");
    expect(progress).toMatch(/hidden for 2 minutes, .*: your credentials need sqs:ChangeMessageVisibility/);
    expect(code).toBe(0);
    const { questions } = await onAws(["--redrive"], { answer: false });
    expect(questions).toEqual([
      expect.stringMatching(/^How many lie behind them, or are held by another reader, is not known/),
    ]);
  });

  it.each([[[]], [["--json"]]])("prints what it read before reading failed: %j", async (args) => {
    addMany("carol", 10);
    addMany("dave", 10);
    let calls = 0;
    state().refused = { ReceiveMessage: () => (++calls > 1 ? "AccessDeniedException" : undefined) };
    const { code, out, progress } = await onAws(args);
    expect(out).toContain("carol9-1");
    expect(progress).toMatch(/ended early: your credentials need sqs:ReceiveMessage$/);
    expect([code, queue().inFlight]).toEqual([1, 0]);
    const unseen = await onAws(["--delete", "m-1", "--yes"]);
    expect(unseen.progress).toMatch(/your credentials need sqs:ReceiveMessage$/);
  });

  it("makes the messages visible before Ctrl-C ends it", async () => {
    addFour();
    const { PATH, TMPDIR } = process.env;
    const child = spawn(process.execPath, ["--import", "tsx", "infra/cli/index.ts", "dead-letters", "--local"], {
      cwd: join(__dirname, "../.."),
      env: { PATH, TMPDIR, PORT: new URL(cloud().webhookUrl).port },
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    await pipeline().until(() => queue().inFlight === 4);
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(queue().inFlight).toBe(0);
  });
});

describe("dead-letters --redrive", () => {
  it("asks, says what it would set back, and how many messages went", async () => {
    addFour();
    await post("carol");
    await saw("delivered");
    expect(await local(["--redrive"])).toMatchObject({ code: 1, progress: expect.stringContaining("add --yes") });
    const asJson = await local(["--redrive", "--json"], { answer: false });
    expect(JSON.parse(asJson.out).map(({ overtaken }: Record<string, unknown>) => overtaken)).toEqual(["yes", "yes", "", ""]);
    expect(asJson.progress).toMatch(/\n2 of them are older than .*\(m-rejected-1\)\nnothing was sent again$/);
    expect([asJson.code, queue().size]).toEqual([0, 4]);
    const { code, out } = await local(["--redrive", "--yes"]);
    expect(out).toMatch(/\nback in the queue: 4 messages$/);
    expect(code).toBe(0);
    await pipeline().identify("m-old-1");
  });

  it("sends nothing while another redrive is running", async () => {
    addDeadLetter("carol", "m-1");
    cloud().fakeSqs.moves.push({ Status: "RUNNING", StartedTimestamp: 1, ApproximateNumberOfMessagesMoved: 0 });
    const { code, progress } = await local(["--redrive", "--yes"]);
    expect(progress).toMatch(/^a redrive is running already/m);
    expect([code, queue().size]).toEqual([1, 1]);
  });

  it("waits for its own move, and not for an earlier one that SQS still lists as the newest", async () => {
    addFour();
    const { fakeSqs } = cloud();
    fakeSqs.moves.push({ Status: "COMPLETED", StartedTimestamp: 1, ApproximateNumberOfMessagesMoved: 99 });
    fakeSqs.movesListedLate = 2;
    expect((await local(["--redrive", "--yes"])).out).toMatch(/\nback in the queue: 4 messages$/);
  });

  it("says why SQS ended its move early", async () => {
    addFour();
    cloud().fakeSqs.moveFailure = "AWS.SimpleQueueService.NonExistentQueue";
    const { code, progress } = await local(["--redrive", "--yes"]);
    expect(progress).toMatch(/^SQS ended the redrive after 1 messages: FAILED, AWS.SimpleQueueService.NonExistentQueue$/m);
    expect(code).toBe(1);
  });

  it("does not count a part of the newest evaluation that Segment has as older", async () => {
    const flags = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));
    await pipeline().post(bytesOf(evaluationPayload({ identity: "erin", flags })));
    // Deliver writes its entries when the batch is done: they are later than the evaluation and the latency say.
    await saw("delivered", 2);
    const body = JSON.stringify(cloud().segment.calls.at(-1)?.body);
    queue().send({ body, groupId: "erin", deduplicationId: "part", attributes: { reason: attribute("isolated-failure") } });
    const { out } = await local(["--redrive"], { answer: false });
    expect(out).toContain("1 dead letter\nnothing was sent again");
  });

  it.each([
    ["without the right to read the log", "AccessDeniedException", "your credentials need logs:FilterLogEvents"],
    ["while AWS throttles the search", "ThrottlingException", "AWS throttles the search"],
  ])("goes on %s, and says what it could not look up", async (_, refusal, why) => {
    addFour();
    state().refused = { FilterLogEvents: refusal };
    const { code, out, progress } = await onAws(["--redrive", "--yes"]);
    expect(progress).toMatch(new RegExp(`^of 2 users it is not known whether.*: ${why}\\. Saved query: What happened`, "m"));
    expect(out).toMatch(/^The messages of 2 users were not checked for newer evaluations\.\nback in the queue: 4 messages$/m);
    expect(code).toBe(0);
  });

  it("looks up more users than fit into one pattern", async () => {
    const AT_SEGMENT = ["delivered", "merged", "unchanged"];
    const users = Array.from({ length: 40 }, (_, i) => `user-with-a-long-name-${i}`);
    for (const [i, identity] of users.entries()) addDeadLetter(identity, `m-${i}`);
    state().entries = users.slice(30).flatMap((identity, i) => delivered(identity, `newer-${i}`, 0.1, AT_SEGMENT[i % 3]));
    const rows = JSON.parse((await local(["--redrive", "--json"], { answer: false })).out);
    const overtaken = rows.filter((row: Record<string, unknown>) => row.overtaken === "yes");
    expect(overtaken.map((row: Record<string, unknown>) => row.userId)).toEqual(users.slice(30));
  });
});

describe("dead-letters --redrive --newest", () => {
  it("sends the newest of each user with all its parts, and none that is older than what Segment has", async () => {
    addDeadLetter("carol", "c-old-1", 5_000_000);
    for (const id of ["c-new-1", "c-new-2", "c-new-2"]) addDeadLetter("carol", id, 4_000_000);
    addDeadLetter("dave", "d-1", 4_000_000);
    addDeadLetter("erin", "e-1", 4_000_000);
    addUnreadable();
    state().entries = [...delivered("dave", "d-newer-1", 0.8), ...delivered("erin", "e-older-1", 1.2)];
    const { out, code, questions } = await local(["--redrive", "--newest"], { answer: true });
    expect(questions).toEqual(["Send the newest of 2 users to Segment again, 3 messages?"]);
    expect(out).toMatch(
      /\nback in the queue: 3 messages\n3 older messages stay; --delete-older .*\n1 message can't be read, and stay/,
    );
    expect(code).toBe(0);
    await pipeline().until(() => cloud().segment.calls.length === 3);
    expect(
      cloud()
        .segment.calls.map(({ messageId }) => messageId)
        .sort(),
    ).toEqual(["c-new-1", "c-new-2", "e-1"]);
    expect(idsIn(queue().messages.filter(({ body }) => body !== "hello"))).toEqual(["c-old-1", "c-new-2", "d-1"]);
    expect(queue().inFlight).toBe(0);
  });

  it("sends a message with its user and its attributes, and keeps the dead letter until SQS has the message", async () => {
    await restartWith({ paused: true });
    addMany("carol", 10);
    state().refused = { SendMessage: "AccessDeniedException" };
    expect((await onAws(["--redrive", "--newest", "--yes"])).code).toBe(1);
    expect(queue().size).toBe(10);
    state().refused = {};
    expect((await local(["--redrive", "--newest", "--yes"])).out).toMatch(/\nback in the queue: 1 message\n9 older/);
    const attributes = { messageId: attribute("carol9-1"), reason: attribute("isolated-failure") };
    expect(cloud().queue.queue.messages).toMatchObject([{ groupId: "carol", attributes }]);
  });

  it("sends nothing of a user whose newest SQS may not show, or whose log was not read", async () => {
    addMany("carol", 12);
    const covered = await local(["--redrive", "--newest", "--yes"]);
    expect(covered.out).toMatch(
      /back in the queue: 0 messages\n9 older messages stay; .*\nof 1 user SQS does not show all messages/,
    );
    addDeadLetter("dave", "d-1");
    state().refused = { FilterLogEvents: "AccessDeniedException" };
    const unknown = await onAws(["--redrive", "--newest", "--yes"]);
    expect(unknown.out).toMatch(/back in the queue: 0 messages\n.*\nof 2 users the log was not read far enough/);
    expect(queue().size).toBe(13);
  });

  it("deletes what something newer replaces with --delete-older, and so reaches what lies behind it", async () => {
    addMany("carol", 25);
    addDeadLetter("dave", "d-1", 4_000_000);
    state().entries = delivered("dave", "d-newer-1", 0.8);
    const { out, code } = await local(["--redrive", "--newest", "--delete-older", "--yes"]);
    expect(out).toMatch(/\nback in the queue: 1 message; deleted: 25 messages$/);
    expect(code).toBe(0);
    await pipeline().identify("carol24-1");
    expect(cloud().segment.calls).toHaveLength(1);
    expect(queue().size).toBe(0);
  });

  it("sends nothing if the operator says no", async () => {
    addFour();
    const { out, code } = await local(["--redrive", "--newest"], { answer: false });
    expect(out).toMatch(/\nnothing was sent again$/);
    expect([code, queue().size]).toEqual([0, 4]);
  });
});

describe("dead-letters --delete", () => {
  it("deletes every copy of a message after a question, and no other", async () => {
    addFour();
    const refused = await local(["--delete", "m-rejected-1"], { answer: false });
    expect([refused.out, queue().size]).toEqual(["nothing was deleted", 4]);
    const { out } = await local(["--delete", "m-rejected-1"], { answer: true });
    expect(out).toBe("deleted m-rejected-1: 2 copies");
    expect([queue().size, queue().inFlight]).toEqual([2, 0]);
    const none = await local(["--delete", "m-rejected-1", "--yes"]);
    expect(none).toMatchObject({ code: 1, progress: expect.stringContaining("no message m-rejected-1 among the 2") });
  });

  it("deletes a message that can't be read, by SQS's id", async () => {
    addFour();
    const [, , unreadable] = JSON.parse((await local(["--json"])).out);
    await local(["--delete", unreadable.messageId, "--yes"]);
    expect(idsIn(queue().messages)).toEqual(["m-rejected-1", "m-rejected-1", "m-old-1"]);
  });

  it("says that a message is still there which another reader holds while it is to be deleted", async () => {
    addFour();
    const answer = async () => queue().receive(10, 60_000).length > 0;
    const { code, progress } = await local(["--delete", "m-rejected-1"], { answer });
    expect(progress).toMatch(/^deleted m-rejected-1: 0 copies of 2; another reader/m);
    expect([code, queue().size]).toEqual([1, 4]);
    const held = await local(["--delete", "m-rejected-1", "--yes"]);
    expect(held.progress).toMatch(/; 4 are held by another reader; try again in 2 minutes$/);
  });
});
