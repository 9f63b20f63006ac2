import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { fixture, signatures } from "../support/fixtures";

/** `npm start` and `npm run send`, as a person at the terminal has them. */
const ROOT = join(__dirname, "../..");
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Run {
  readonly child: ChildProcess;
  output: string;
  /** The first match, as soon as it is printed. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  exit(): Promise<number | null>;
}

function run(script: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, ["--import", "tsx", join("test/local", script), ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...environment },
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

describe("npm start", () => {
  it("sends a sample through, says how to send more, and ends cleanly on Ctrl-C", async () => {
    const local = run("main.ts", [], { PORT: "0" });
    const [, url = ""] = await local.until(READY);
    await local.until(/Ctrl-C/);
    expect(local.output).toMatch(/^in {3}POST \/webhook, \d+ bytes, signed/m);
    expect(local.output).toMatch(/answer 202 \{"status":"accepted"/);
    expect(local.output).toMatch(/^out {2}POST \/v1\/identify, \d+ bytes: \{/m);
    expect(local.output).toContain(`curl -sS ${url}`);
    expect(local.output).toContain("local-secret");

    const sent = run("send.ts", ["test/support/fixtures/06-overrides.json", "--url", url, "--as", "übertragen"]);
    expect(await sent.exit()).toBe(0);
    expect(sent.output).toMatch(/^202 \{"status":"accepted","messageId":"FlagsmithToSegment-/);
    await local.until(/"userId": "übertragen"/);

    const forged = run("send.ts", ["test/support/fixtures/06-overrides.json", "--url", url, "--secret", "wrong"]);
    expect(await forged.exit()).toBe(1);
    expect(forged.output).toMatch(/^401 \{"status":"unauthorized"/);

    local.child.kill("SIGINT");
    expect(await local.exit()).toBe(0);
  });

  it("takes its secret, and sends no sample if told so", async () => {
    const { secret } = signatures;
    const local = run("main.ts", [], { PORT: "0", SAMPLE: "off", FLAGSMITH_WEBHOOK_SECRET: secret });
    const [, url = ""] = await local.until(READY);
    await local.until(/Ctrl-C/);
    expect(local.output).not.toMatch(/^(in|out) /m);
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-flagsmith-signature": signatures.files["02-multivariate.json"] ?? "" },
      body: new Uint8Array(fixture("02-multivariate.json")),
    });
    expect(response.status).toBe(202);
    local.child.kill("SIGTERM");
    expect(await local.exit()).toBe(0);
  });

  it("does not show as sent what a Segment that is down did not take", async () => {
    const local = run("main.ts", [], { PORT: "0", SEGMENT_ENDPOINT: "https://127.0.0.1:1" });
    await local.until(/Ctrl-C/);
    expect(local.output).toMatch(/"event":"retrying".*"reason":"ECONNREFUSED"/);
    expect(local.output).not.toMatch(/^out /m);
    local.child.kill("SIGTERM");
    expect(await local.exit()).toBe(0);
  });

  it("ends when npm was ended alone", async () => {
    const shell = spawn("sh", ["-c", `"${process.execPath}" --import tsx test/local/main.ts; true`], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, PORT: "0", SAMPLE: "off" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    // The output ends with the last process that holds it.
    for await (const chunk of shell.stdout) if (String(chunk).includes("Ctrl-C")) shell.kill("SIGTERM");
    expect(shell.signalCode).toBe("SIGTERM");
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["a port that is none", { PORT: "http" }, /^PORT: allowed is 0 to 65535.*; got "http"\n$/],
    ["a port out of range", { PORT: "65536" }, /^PORT: allowed is 0 to 65535.*\n$/],
    [
      "an endpoint that is not https",
      { SEGMENT_ENDPOINT: "http://example.com" },
      /^SEGMENT_ENDPOINT: allowed is an https URL.*\n$/,
    ],
    ["an empty secret", { FLAGSMITH_WEBHOOK_SECRET: " " }, /^FLAGSMITH_WEBHOOK_SECRET: must not be empty\n$/],
    ["an empty key", { SEGMENT_WRITE_KEY: "" }, /^SEGMENT_WRITE_KEY: must not be empty\n$/],
    ["a way to forward that is none", { FORWARD: "some" }, /^FORWARD: allowed is "every" or "changes".*\n$/],
    ["a wish that is none", { SAMPLE: "no" }, /^SAMPLE: allowed is on or off; got "no"\n$/],
  ])("says in one line what is wrong with %s", async (_, environment, line) => {
    const local = run("main.ts", [], { PORT: "0", ...environment });
    expect(await local.exit()).toBe(1);
    expect(local.output).toMatch(line);
  });

  it("says in one line that the port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = Object(server.address());
    const local = run("main.ts", [], { PORT: String(port) });
    expect(await local.exit()).toBe(1);
    server.close();
    expect(local.output).toBe(`PORT: ${port} is in use; set PORT to another, or to 0 for any\n`);
  });
});

describe("npm run send", () => {
  it.each<[string, readonly string[], RegExp]>([
    ["no file", [], /usage: npm run send -- <file\.json>/],
    ["a file that is not there", ["nowhere.json"], /ENOENT.*nowhere\.json/],
    [
      "nobody listening",
      ["test/support/fixtures/02-multivariate.json", "--url", "http://127.0.0.1:1/webhook"],
      /is npm start running\?/,
    ],
    [
      "no identity to replace",
      ["test/support/fixtures/not-identity/env-flag-updated.json", "--as", "me"],
      /--as: the file has no identity/,
    ],
  ])("says what is wrong with %s", async (_, args, line) => {
    const sent = run("send.ts", args);
    expect(await sent.exit()).toBe(1);
    expect(sent.output).toMatch(line);
    expect(sent.output.trim().split("\n")).toHaveLength(1);
  });
});
