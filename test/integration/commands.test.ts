import { connect } from "../../infra/cli/aws";
import type { ExitCode } from "../../infra/cli/command";
import { run } from "../../infra/cli/commands";
import { explain } from "../../infra/cli/explain";
import { findPipeline, webhookUrlOf } from "../../infra/cli/pipeline";
import { hashIdentity } from "../../lambda/identify-call";
import type { Options } from "../../lambda/options";
import { bytesOf, callBody, evaluationPayload, flagPayload } from "../cloud/events";
import { type Pipeline, startPipeline } from "./pipeline";

let pipeline: Pipeline;

interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly progress: string;
}

/** A command beside the local cloud. `answer`: what the operator answers, or does meanwhile; undefined = nobody is there. */
async function command(
  args: readonly string[],
  answer?: boolean | (() => Promise<boolean>),
  more: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const lines: string[] = [];
  const progress: string[] = [];
  const code = await run([...args, "--local"], {
    environment: { PORT: new URL(pipeline.cloud.webhookUrl).port, ...more },
    print: (text) => lines.push(text),
    progress: (text) => progress.push(text),
    confirm: async () => (typeof answer === "function" ? answer() : answer),
  });
  return { code, out: lines.join("\n"), progress: progress.join("\n") };
}

const start = async (options: Options = {}) => {
  pipeline = await startPipeline({ options });
};
afterEach(() => pipeline.stop());

const evaluation = (identity: string) => bytesOf(evaluationPayload({ identity }));
const saw = (event: string) => pipeline.until(() => pipeline.log.some((line) => line.event === event));

/** Dead letters of a rejected call, of an unreadable message, and of a kind that nobody knows. */
async function addDeadLetters(): Promise<void> {
  const { deadLetterQueue } = pipeline.cloud;
  const attribute = (value: string) => ({ DataType: "String", StringValue: value });
  const call = callBody({ identity: "carol", messageId: "m-rejected-1", traits: { secret_plan: "gold" } });
  const about = { status: attribute("400"), messageId: attribute("m-rejected-1") };
  const send = (body: string, groupId: string, id: string, reason: string, more = {}) =>
    deadLetterQueue.queue.send({ body, groupId, deduplicationId: id, attributes: { reason: attribute(reason), ...more } });
  send(call, "carol", "1", "rejected-by-segment", about);
  send(call, "carol", "2", "rejected-by-segment", about);
  send("hello", "x", "3", "unreadable-message");
  send(callBody({ identity: "dave", messageId: "m-old-1" }), "dave", "4", "expired", { messageId: attribute("m-old-1") });
}

describe("doctor", () => {
  const findings = async (...args: readonly string[]) => {
    const { code, out } = await command(["doctor", "--json", ...args]);
    const found: readonly { check: string; level: string; detail: string; fix?: string }[] = JSON.parse(out);
    const trouble = found.filter(({ level }) => level !== "ok");
    return { code, found, trouble };
  };
  it("finds a pipeline in good health, up to the call at Segment", async () => {
    await start();
    const { code, found, trouble } = await findings();
    expect(trouble).toEqual([]);
    expect(found.map(({ check }) => check.replace(/FlagsmithToSegment-.*/, "m"))).toEqual([
      "pipeline",
      "/flagsmith-to-segment/production/webhook-secret",
      "/flagsmith-to-segment/production/segment-write-key",
      "write key at Segment",
      "event source",
      "concurrency",
      "SSM throughput",
      "alarms",
      "alarm receivers",
      "queue",
      "dead letters",
      "webhook",
      "call m",
    ]);
    expect(found.at(-1)).toMatchObject({ detail: "delivered to Segment" });
    expect(code).toBe(0);
    expect(pipeline.cloud.segment.calls.map(({ body }) => body.userId)).toEqual(["doctor"]);
    expect(JSON.stringify(found)).not.toMatch(/integration-secret|"write-key"/);
  });

  it("prints a line per check, and tells its progress elsewhere", async () => {
    await start();
    const { out, progress } = await command(["doctor"]);
    expect(out.split("\n")).toEqual(Array(13).fill(expect.stringMatching(/^ok {4}\S.+: .+$/)));
    expect(progress).toMatch(/^looking for the pipeline in us-east-1\nwaiting for the log/);
  });

  it.each<[string, string, string, string, 0 | 1]>([
    ["blanks around it", " integration-secret", "SecureString", "has blanks", 0],
    ["quotes around it", '"integration-secret"', "SecureString", "has quotes", 1],
    ["the placeholder in it", "<the secret set in Flagsmith>", "SecureString", "holds the placeholder", 1],
    ["nothing in it", " ", "SecureString", "is empty", 1],
    ["the wrong type", "integration-secret", "String", "is a String", 0],
  ])("finds a secret with %s, and does not show it", async (_, value, type, detail, exit) => {
    await start();
    const { webhookSecret } = pipeline.cloud.parameterNames;
    pipeline.cloud.ssm.set(webhookSecret, value, type);
    const { code, trouble } = await findings();
    const found = trouble.find(({ check }) => check === webhookSecret);
    expect(found).toMatchObject({
      level: exit === 1 ? "failed" : "warning",
      detail: expect.stringContaining(detail),
      fix: expect.stringContaining("put-parameter --region us-east-1"),
    });
    expect(JSON.stringify(found)).not.toContain("integration-secret");
    expect(code).toBe(exit);
  });

  it("finds two secrets, one per line, in order", async () => {
    await start();
    pipeline.cloud.ssm.set(pipeline.cloud.parameterNames.webhookSecret, "integration-secret\nold\n");
    expect((await findings()).trouble).toEqual([]);
  });

  it("finds a parameter that is missing, and what it does to the call", async () => {
    await start();
    const { writeKey } = pipeline.cloud.parameterNames;
    pipeline.cloud.ssm.delete(writeKey);
    const { trouble } = await findings();
    expect(trouble).toMatchObject([
      { check: writeKey, detail: "does not exist" },
      { detail: expect.stringContaining("retrying"), fix: expect.stringContaining("put-parameter") },
    ]);
  });

  it("finds a write key that no source has, though Segment answers 200 to it", async () => {
    await start();
    pipeline.cloud.ssm.set(pipeline.cloud.parameterNames.writeKey, "unknown-key");
    const { trouble } = await findings();
    expect(trouble).toMatchObject([{ check: "write key at Segment", level: "failed", detail: "no source has it" }]);
    expect(JSON.stringify(trouble)).not.toContain("unknown-key");
  });

  it("finds what is off, small, unheard or waiting", async () => {
    await start({ paused: true });
    const { state } = pipeline.cloud.controlPlane;
    const name = `${pipeline.cloud.stackName} Backlog`;
    Object.assign(state, {
      concurrency: 10,
      alarms: { [name]: "ALARM", [`${pipeline.cloud.stackName}-of-another Backlog`]: "ALARM" },
      subscriptions: { "ops@example.com": "PendingConfirmation" },
      oldest: 1_200,
      refused: { GetServiceSetting: "AccessDeniedException" },
    });
    await addDeadLetters();
    // A call that is not delivered is waited for; the answer to the webhook is enough here.
    pipeline.cloud.ssm.delete(pipeline.cloud.parameterNames.webhookSecret);
    const { trouble } = await findings();
    expect(trouble.map(({ check, level, detail }) => [check, level, detail])).toEqual([
      ["/flagsmith-to-segment/production/webhook-secret", "failed", "does not exist"],
      ["event source", "failed", "is Disabled"],
      ["concurrency", "warning", expect.stringContaining("the account runs 10 functions at once")],
      ["SSM throughput", "warning", "can't be looked at: AccessDeniedException: not you"],
      ["alarms", "warning", `${name} fires`],
      ["alarm receivers", "warning", "0 confirmed, 1 unconfirmed"],
      ["queue", "warning", "calls that wait: 0, the oldest for 1200 s"],
      ["dead letters", "warning", "4 messages"],
      ["webhook", "failed", "was not tried: there is no secret to sign with"],
    ]);
    expect(trouble.find(({ check }) => check === "SSM throughput")?.fix).toContain("ssm:GetServiceSetting");
  });

  it("finds too little that is kept for receive, which gets no more than that", async () => {
    await start();
    Object.assign(pipeline.cloud.controlPlane.state, { reserved: 2 });
    const { trouble } = await findings();
    expect(trouble).toMatchObject([{ check: "concurrency", fix: expect.stringMatching(/raise option reservedConcurrency$/) }]);
    Object.assign(pipeline.cloud.controlPlane.state, { concurrency: 10, reserved: 10 });
    expect((await findings()).trouble).toEqual([]);
  });

  it("asks SNS for topics only, whatever else an alarm does", async () => {
    await start();
    Object.assign(pipeline.cloud.controlPlane.state, { actions: ["arn:aws:lambda:us-east-1:000000000000:function:pager"] });
    expect((await findings()).trouble).toMatchObject([{ check: "alarm receivers", detail: "0 confirmed, 0 unconfirmed" }]);
  });

  it("takes settings that can't be reached for no trouble of the pipeline", async () => {
    await start();
    Object.assign(pipeline.cloud.places, { settingsUrl: "http://127.0.0.1:1" });
    const { code, trouble } = await findings();
    expect(trouble).toMatchObject([{ check: "write key at Segment", level: "warning" }]);
    expect(code).toBe(0);
  });

  it("waits for a call that Segment takes two seconds later", async () => {
    await start();
    pipeline.cloud.segment.refusals.push(503);
    expect((await findings()).trouble).toEqual([]);
  });

  it("tells what Segment answers to the call", async () => {
    await start();
    pipeline.cloud.segment.refusals.push(...Array(200).fill(404));
    const { trouble } = await findings();
    expect(trouble).toMatchObject([{ detail: "retrying: status 404" }]);
  });

  it("tells no stack from one whose first deploy failed, and both from another environment", async () => {
    await start();
    const stacks = { Failed: "ROLLBACK_COMPLETE", Deploying: "CREATE_IN_PROGRESS", CDKToolkit: "UPDATE_COMPLETE" };
    pipeline.cloud.controlPlane.state.stacks = stacks;
    const other = await command(["doctor", "--environment", "staging"]);
    expect(other.progress).toContain(`there are\n  --stack ${pipeline.cloud.stackName} --environment production`);
    Object.assign(pipeline.cloud.controlPlane, { options: { ...Object(pipeline.cloud.controlPlane).options, functions: [] } });
    expect((await command(["doctor", "--stack", "Failed"])).progress).toMatch(
      /^stack Failed is ROLLBACK_COMPLETE .* delete it,/m,
    );
    expect((await command(["doctor", "--stack", "Deploying"])).progress).toMatch(
      /CREATE_IN_PROGRESS .* wait until that is done$/,
    );
    expect((await command(["doctor", "--stack", "CDKToolkit"])).progress).toMatch(
      /UPDATE_COMPLETE .* is it the right stack\?$/,
    );
    expect((await command(["doctor", "--stack", "None"])).progress).toContain("no stack None in us-east-1");
    const none = await command(["doctor"]);
    expect(none).toMatchObject({ code: 1, progress: expect.stringContaining("no pipeline in us-east-1") });
  });
});

describe("dead-letters", () => {
  it("lists them without trait values, and hides nothing by it", async () => {
    await start();
    await addDeadLetters();
    const { code, out } = await command(["dead-letters"]);
    const [header = "", ...rows] = out.split("\n");
    expect(header.split(/ +/)).toEqual(["messageId", "reason", "status", "userId", "bytes", "evaluated"]);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 2))).toEqual([
      ["m-rejected-1", "rejected-by-segment"],
      ["m-rejected-1", "rejected-by-segment"],
      [expect.stringMatching(/^[\da-f-]{36}$/), "unreadable-message"],
      ["m-old-1", "expired"],
      ["4 dead letters"],
    ]);
    expect(out).not.toContain("gold");
    expect(code).toBe(0);
    expect(pipeline.cloud.deadLetterQueue.queue.inFlight).toBe(0);
    const shown = JSON.parse((await command(["dead-letters", "--json", "--show"])).out);
    expect(shown[0]).toMatchObject({ userId: "carol", status: "400", traits: { secret_plan: "gold" } });
  });

  it("names people as the logs do, unless asked", async () => {
    await start({ logUserId: "hashed" });
    await addDeadLetters();
    const [hidden] = JSON.parse((await command(["dead-letters", "--json"])).out);
    expect(hidden.userId).toBe(hashIdentity("carol"));
    const [shown] = JSON.parse((await command(["dead-letters", "--json", "--show"])).out);
    expect(shown.userId).toBe("carol");
  });

  it("redrives when told so, says what that overwrites, and how many went", async () => {
    await start();
    await addDeadLetters();
    const { queue } = pipeline.cloud.deadLetterQueue;
    await pipeline.post(evaluation("carol"));
    await saw("delivered");
    expect(await command(["dead-letters", "--redrive"], false)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\n2 of them are older than .*\nnothing was sent again$/),
    });
    const nobody = await command(["dead-letters", "--redrive"]);
    expect(nobody).toMatchObject({ code: 1, progress: expect.stringContaining("add --yes") });
    const asJson = await command(["dead-letters", "--redrive", "--json"], false);
    expect(JSON.parse(asJson.out).map(({ overtaken }: Record<string, unknown>) => overtaken)).toEqual(["yes", "yes", "", ""]);
    expect(asJson.progress).toMatch(/\nnothing was sent again$/);
    pipeline.cloud.fakeSqs.moves.push({ Status: "RUNNING", StartedTimestamp: 1, ApproximateNumberOfMessagesMoved: 0 });
    const running = await command(["dead-letters", "--redrive", "--yes"]);
    expect(running).toMatchObject({ code: 1, progress: expect.stringContaining("is running already") });
    expect(queue.size).toBe(4);
    pipeline.cloud.fakeSqs.moves.length = 0;
    const { code, out } = await command(["dead-letters", "--redrive", "--yes"]);
    expect(out).toMatch(/\nback in the queue: 4 messages$/);
    expect(code).toBe(0);
    await pipeline.identify("m-old-1");
  });

  it("tells a part whose evaluation is the newest that Segment has from one that is older", async () => {
    await start();
    const flags = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));
    await pipeline.post(bytesOf(evaluationPayload({ identity: "erin", flags })));
    // Deliver writes its lines when the batch is done: they are later than the evaluation and the latency say.
    await pipeline.until(() => pipeline.log.filter(({ event }) => event === "delivered").length === 2);
    const body = JSON.stringify(pipeline.cloud.segment.calls.at(-1)?.body);
    const attributes = { reason: { DataType: "String", StringValue: "rejected-by-segment" } };
    pipeline.cloud.deadLetterQueue.queue.send({ body, groupId: "erin", deduplicationId: "part", attributes });
    const { out } = await command(["dead-letters", "--redrive"], false);
    expect(out).toContain("1 dead letter\nnothing was sent again");
  });

  it("deletes every copy of a message, and no other", async () => {
    await start();
    await addDeadLetters();
    const { queue } = pipeline.cloud.deadLetterQueue;
    expect(await command(["dead-letters", "--delete", "m-rejected-1"], false)).toMatchObject({ out: "nothing was deleted" });
    expect(queue.size).toBe(4);
    const { out } = await command(["dead-letters", "--delete", "m-rejected-1"], true);
    expect(out).toBe("deleted m-rejected-1: 2 copies");
    expect([queue.size, queue.inFlight]).toEqual([2, 0]);
    const none = await command(["dead-letters", "--delete", "m-rejected-1", "--yes"]);
    expect(none).toMatchObject({ code: 1, progress: expect.stringContaining("no message m-rejected-1 among the 2") });
    const [unreadable] = JSON.parse((await command(["dead-letters", "--json"])).out);
    await command(["dead-letters", "--delete", unreadable.messageId, "--yes"]);
    expect(queue.messages.map(({ deduplicationId }) => deduplicationId)).toEqual(["4"]);
  });

  it("says that a message is still there which somebody else reads while it is to be deleted", async () => {
    await start();
    await addDeadLetters();
    const { queue } = pipeline.cloud.deadLetterQueue;
    const elsewhere = async () => queue.receive(10, 60_000).length > 0;
    const ran = await command(["dead-letters", "--delete", "m-rejected-1"], elsewhere);
    expect(ran).toMatchObject({ code: 1, progress: expect.stringMatching(/^deleted m-rejected-1: 0 copies of 2; somebody/m) });
    expect(queue.size).toBe(4);
  });
});

describe("trace", () => {
  it("shows the lines of both functions in order, by message and by person", async () => {
    await start();
    const flags = Array.from({ length: 310 }, (_, i) => flagPayload({ name: `f${i}` }));
    const { messageId } = await pipeline.post(bytesOf(evaluationPayload({ identity: "erin", flags })));
    await pipeline.until(() => pipeline.log.filter(({ event }) => event === "delivered").length === 2);
    const { out, code } = await command(["trace", messageId]);
    const [header, ...rows] = out.split("\n");
    expect(header).toMatch(/^time +service +event +messageId/);
    expect(rows.map((row) => row.split(/ {2,}/).slice(1, 3).join(" "))).toEqual([
      "receive accepted",
      "deliver delivered",
      "deliver delivered",
    ]);
    expect(code).toBe(0);
    const lines = JSON.parse((await command(["trace", "erin", "--json"])).out);
    expect(lines).toMatchObject([{ event: "accepted", messageId }, { event: "delivered" }, { event: "delivered" }]);
  });

  it("takes an asterisk for what it is, though CloudWatch finds more by it", async () => {
    await start();
    for (const identity of ["ann", "ann*"]) await pipeline.post(evaluation(identity));
    await pipeline.until(() => pipeline.log.filter(({ event }) => event === "delivered").length === 2);
    const lines = JSON.parse((await command(["trace", "ann*", "--json"])).out);
    expect(lines.map(({ userId }: Record<string, unknown>) => userId)).toEqual(["ann*", "ann*"]);
  });

  it("hashes a person where the lines do, and says so where there is none", async () => {
    await start({ logUserId: "hashed" });
    await pipeline.post(evaluation("frank"));
    await saw("delivered");
    expect((await command(["trace", "frank"])).out.split("\n")).toHaveLength(3);
    const nobody = await command(["trace", "grace"]);
    expect(nobody).toMatchObject({ code: 1, out: expect.stringContaining("no line about grace in the last 24 hours") });
  });
});

describe("on AWS", () => {
  it("the webhook's URL follows from who may invoke receive", async () => {
    await start();
    const terminal = { environment: { PORT: new URL(pipeline.cloud.webhookUrl).port } };
    const noTerminal = { print: () => {}, progress: () => {}, confirm: async () => undefined };
    const local = await connect({ local: true }, { ...terminal, ...noTerminal });
    const aws = { ...local, webhookUrl: undefined };
    const found = await findPipeline(aws, {});
    pipeline.cloud.controlPlane.state.apiId = "abc123";
    await expect(webhookUrlOf(aws, found)).resolves.toMatch(/^https:\/\/abc123\.execute-api\.us-east-1\.\S+\/webhook$/);
  });

  it("says what is wrong with the credentials", async () => {
    await start();
    const error = { name: "CredentialsProviderError", message: "Could not load credentials from any providers" };
    expect(explain(error, { AWS_PROFILE: "typo" })).toMatch(/^AWS_PROFILE typo: there is no such profile/);
    expect(explain(error, {})).toMatch(/^no AWS credentials: log in/);
    expect(explain({ name: "ExpiredTokenException" }, {})).toBe("ExpiredTokenException: log in to AWS again");
  });
});

describe("send", () => {
  it.each<[string, readonly string[], number, RegExp]>([
    ["no file", [], 2, /^one file is needed\nusage: flagsmith-to-segment send <file\.json>/],
    ["a file that is not there", ["nowhere.json"], 1, /^nowhere\.json: ENOENT/],
    ["nobody listening", ["cdk.json", "--url", "http://127.0.0.1:1/webhook"], 1, /is it deployed, or npm start running\?$/],
    ["no identity to replace", ["tsconfig.json", "--as", "me"], 1, /^--as: the file has no identity/],
    ["another protocol", ["tsconfig.json", "--url", "ftp://x"], 2, /^--url: allowed is a URL with http/],
    ["a URL that is none", ["tsconfig.json", "--url", "http://"], 2, /^--url: allowed is a URL with http/],
    ["an empty secret", ["tsconfig.json", "--secret", ""], 2, /^--secret, .*: must not be empty/],
  ])("says what is wrong with %s", async (_, args, code, message) => {
    await start();
    const progress: string[] = [];
    const terminal = { environment: {}, print: () => {}, progress: (text: string) => progress.push(text) };
    expect(await run(["send", ...args], { ...terminal, confirm: async () => undefined })).toBe(code);
    expect(progress.join("\n")).toMatch(message);
  });
});

describe("the program", () => {
  it.each([
    [["--help"], 0, /^usage: flagsmith-to-segment <command>/],
    [["trace", "--help"], 0, /^usage: flagsmith-to-segment trace <messageId \| user id>/],
    [["trace"], 2, /^one messageId or user id is needed\nusage/],
    [["trace", "x", "--hours", "no"], 2, /^--hours: allowed is/],
    [["doctor", "--nonsense"], 2, /^Unknown option '--nonsense'\nusage: .*\n--help tells more$/],
    [["doctor", "--region", "eu-west-1"], 2, /^--local or --region, not both/],
    [["nonsense"], 2, /^unknown command nonsense\nusage: flagsmith-to-segment <command>/],
    [["toString"], 2, /^unknown command toString\nusage: flagsmith-to-segment <command>/],
    [["dead-letters", "redrive"], 2, /^unknown argument redrive/],
    [["dead-letters", "--delete", ""], 2, /^--delete: a messageId is needed/],
    [["dead-letters", "--redrive", "--delete", "m"], 2, /^--redrive or --delete, not both/],
  ])("is called %j", async (args, code, message) => {
    await start();
    const ran = await command(args);
    expect(ran.code).toBe(code);
    expect(ran.out + ran.progress).toMatch(message);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ["an option that npm took", { npm_config_region: "eu-west-1" }, /^npm took --region for itself: options come after/],
    ["a port that is none", { PORT: "abc" }, /^PORT: allowed is the port that npm start told; got "abc"/],
    ["any port", { PORT: "0" }, /^PORT: allowed is the port that npm start told; got "0"/],
  ])("refuses %s", async (_, environment, message) => {
    await start();
    expect(await command(["doctor"], undefined, environment)).toMatchObject({
      code: 2,
      progress: expect.stringMatching(message),
    });
  });

  it("is called by its script in the clone", async () => {
    await start();
    const { out } = await command(["trace", "--help"], undefined, { npm_lifecycle_event: "trace" });
    expect(out).toMatch(/^usage: npm run trace -- <messageId/);
  });
});
