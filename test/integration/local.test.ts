import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { readSettings } from "../local/settings";
import { fixture, signatures } from "../support/fixtures";

/** `npm start` and `npm run send`, as a user at the terminal has them. */
const ROOT = join(__dirname, "../..");
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const { PATH, TMPDIR, SYNTHESIZED } = process.env;
/** The stack that other test processes synthesized is not synthesized again. */
const ENVIRONMENT = { PATH, TMPDIR, ...(SYNTHESIZED === undefined ? {} : { SYNTHESIZED }) };

interface Run {
  readonly child: ChildProcess;
  output: string;
  /** The first match, as soon as it is printed. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  exit(): Promise<number | null>;
}

function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, ["--import", "tsx", ...args], {
    cwd: ROOT,
    env: { ...ENVIRONMENT, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const ended = once(child, "close");
  const started: Run = {
    child,
    output: "",
    until: async (pattern) => {
      for (;;) {
        const found = pattern.exec(started.output);
        if (found !== null) return found;
        if (child.exitCode !== null) throw new Error(`ended without ${pattern}: ${started.output}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    exit: async () => {
      await ended;
      return child.exitCode;
    },
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      started.output += chunk.toString();
    });
  }
  return started;
}

const READY = /^ready (http:\/\/127\.0\.0\.1:\d+\/webhook)$/m;
const send = (url: string, ...args: readonly string[]) => run(["infra/cli/index.ts", "send", ...args, "--url", url]);

describe("npm start", () => {
  it("shows flags as they came and traits as they go, then a summary on Ctrl-C", async () => {
    const local = run(["test/local/main.ts"], { PORT: "0", SAMPLE: "on" });
    const [, url = ""] = await local.until(READY);
    expect(local.output).toMatch(/^flagsmith-to-segment: a local run, without AWS\n {2}modules loaded +\d+\.\d s\n/);
    await local.until(/Ctrl-C/);
    expect(local.output).toMatch(
      /^\d\d:\d\d:\d\d {2}IN {3}202 {2}develop… +5 flags {2}paypal_button_test = "show" · .* · dark_mode on$/m,
    );
    expect(local.output).toMatch(
      /^\d\d:\d\d:\d\d {2}OUT {2}200 {2}develop… +\d.*s {2}paypal_button_test = "show" · .* · dark_mode = true$/m,
    );

    const sent = send(url, "--flag", "checkout=b", "--off", "email", "--as", "über");
    expect(await sent.exit()).toBe(0);
    expect(sent.output).toMatch(/^202 \{"status":"accepted","messageId":"FlagsmithToSegment-/);
    await local.until(/ {2}OUT {2}200 {2}über .*s {2}checkout = "b" · flag_email = false \(renamed\)$/m);
    expect(local.output).toMatch(/ {2}IN {3}202 {2}über +2 flags {2}checkout = "b" · email off$/m);

    const forged = send(url, "test/support/fixtures/06-overrides.json", "--secret", "wrong");
    expect(await forged.exit()).toBe(1);
    expect(forged.output).toMatch(/^401 \{"status":"unauthorized".*\nsigned with another secret/);
    expect(local.output).toMatch(/ {2}IN {3}401 {2}- +unauthorized: X-Flagsmith-Signature does not match/);

    local.child.kill("SIGINT");
    expect(await local.exit()).toBe(0);
    expect(local.output).toMatch(
      /^webhooks {2}2 accepted \(202\), 1 unauthorized \(401\)\ncalls {5}2 delivered\nlost now {2}nothing$/m,
    );
  });

  it("prints whole log entries with --json, without characters that steer a terminal", async () => {
    const local = run(["test/local/main.ts", "--json"], { PORT: "0", SAMPLE: "off" });
    const [, url = ""] = await local.until(READY);
    expect(await send(url, "--flag", "x", "--as", "an\u009B\u202En").exit()).toBe(0);
    const [text = ""] = await local.until(/^\{.*"event":"delivered".*\}$/m);
    expect(JSON.parse(text)).toMatchObject({ service: "deliver", userId: "an\u009B\u202En", status: 200 });
    expect(text).toContain("an\\u009b\\u202en");
    expect(local.output).not.toMatch(/ {2}(IN|OUT) {2}/);
    local.child.kill("SIGTERM");
    expect(await local.exit()).toBe(0);
  });

  it("shows what waits while Segment is down, and what is lost at the end", async () => {
    const settings = { SEGMENT_ENDPOINT: "https://127.0.0.1:1", FLAGSMITH_WEBHOOK_SECRET: signatures.secret };
    const local = run(["test/local/main.ts"], { PORT: "0", ...settings });
    const [, url = ""] = await local.until(READY);
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-flagsmith-signature": signatures.files["02-multivariate.json"] ?? "" },
      body: new Uint8Array(fixture("02-multivariate.json")),
    });
    expect(response.status).toBe(202);
    await local.until(/Ctrl-C/);
    expect(local.output).toMatch(/ {2}OUT {2}- {4}develop… .*retrying in \d s after attempt 1: no-answer, ECONNREFUSED/);
    expect(local.output).not.toMatch(/ {2}OUT {2}200/);
    local.child.kill("SIGTERM");
    expect(await local.exit()).toBe(0);
    expect(local.output).toMatch(/^lost now {2}2 calls in the queue, 0 dead letters$/m);
  });

  it("ends a command without an error if the reader of its output ends first", async () => {
    const command = `("${process.execPath}" --import tsx infra/cli/index.ts --help; echo "code $?" >&2) | true`;
    const shell = spawn("sh", ["-c", command], { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
    let output = "";
    for await (const chunk of shell.stderr) output += String(chunk);
    expect(output).toBe("code 0\n");
  });

  it("ends if only its parent process was ended", async () => {
    const shell = spawn("sh", ["-c", `"${process.execPath}" --import tsx test/local/main.ts; true`], {
      cwd: ROOT,
      env: { ...ENVIRONMENT, PORT: "0", SAMPLE: "off" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    // The output ends with the last process that holds it.
    for await (const chunk of shell.stdout) if (String(chunk).includes("Ctrl-C")) shell.kill("SIGTERM");
    expect(shell.signalCode).toBe("SIGTERM");
  });

  const toSegment = { SEGMENT_ENDPOINT: "https://api.segment.io", SEGMENT_WRITE_KEY: "key" };

  it.each<[string, Record<string, string>, string, Parameters<typeof readSettings>[1]?]>([
    ["a port that is not a number", { PORT: "http" }, 'PORT: allowed is 0 to 65535, 0 for any; got "http"'],
    ["a port out of range", { PORT: "65536" }, "PORT: allowed is 0 to 65535"],
    ["an endpoint that is not https", { SEGMENT_ENDPOINT: "http://example.com" }, "SEGMENT_ENDPOINT: allowed is an https URL"],
    ["an empty secret", { FLAGSMITH_WEBHOOK_SECRET: " " }, "FLAGSMITH_WEBHOOK_SECRET: must not be empty"],
    ["an empty key", { SEGMENT_WRITE_KEY: "" }, "SEGMENT_WRITE_KEY: must not be empty"],
    ["no key for the real Segment", { SEGMENT_ENDPOINT: "https://api.segment.io" }, "SEGMENT_WRITE_KEY: needed with SEGMENT"],
    ["a way to forward that is none", { FORWARD: "some" }, 'FORWARD: allowed is "every" or "changes"'],
    ["an experiment without a name", { EXPERIMENTS: "checkout,", FORWARD: "changes" }, "EXPERIMENTS: allowed is "],
    ["experiments where every evaluation is sent", { EXPERIMENTS: "a" }, "EXPERIMENTS: it needs FORWARD=changes"],
    ["a sample that is neither on nor off", { SAMPLE: "no" }, 'SAMPLE: allowed is on or off; got "no"'],
    ["another machine's address", { HOST: "192.0.2.1" }, "HOST: allowed is 127.0.0.1, or 0.0.0.0 for"],
    ["a mode of another Segment", toSegment, "--segment: allowed with the embedded", { demo: false, segmentMode: "slow" }],
    ["the demo with another Segment", toSegment, "--demo: allowed with the embedded", { demo: true, segmentMode: undefined }],
  ])("says what is wrong with %s", (_, environment, message, ...given) => {
    expect(() => readSettings(environment, ...given)).toThrow(message);
  });

  it("takes the experiments' flags from between commas", () => {
    const { experiments, forward } = readSettings({ EXPERIMENTS: "checkout, home-*", FORWARD: "changes" });
    expect([experiments, forward]).toEqual([["checkout", "home-*"], "changes"]);
  });

  it("says in one line that the port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = Object(server.address());
    const local = run(["test/local/main.ts"], { PORT: String(port) });
    expect(await local.exit()).toBe(1);
    server.close();
    expect(local.output.split("\n").slice(1)).toEqual([`PORT: ${port} is in use; set PORT to another, or to 0 for any`, ""]);
  });
});
