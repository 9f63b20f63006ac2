import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { readSettings } from "../local/settings";
import { fixture, signatures } from "../support/fixtures";

/** `npm start` and `npm run send`, in processes of their own. */
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

function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, ["--import", "tsx", ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, ...environment },
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
  it("delivers a sample, prints how to send more, and ends on Ctrl-C", async () => {
    const local = run(["test/local/main.ts"], { PORT: "0" });
    const [, url = ""] = await local.until(READY);
    await local.until(/Ctrl-C/);
    expect(local.output).toMatch(/^in {3}POST \/webhook, \d+ bytes, signed/m);
    expect(local.output).toMatch(/answer 202 \{"status":"accepted"/);
    expect(local.output).toMatch(/^out {2}POST \/v1\/identify, \d+ bytes: \{/m);
    expect(local.output).toContain(`curl -sS ${url}`);
    expect(local.output).toContain("local-secret");

    const sent = run([
      "infra/cli/index.ts",
      "send",
      "test/support/fixtures/06-overrides.json",
      "--url",
      url,
      "--as",
      "übertragen",
    ]);
    expect(await sent.exit()).toBe(0);
    expect(sent.output).toMatch(/^202 \{"status":"accepted","messageId":"FlagsmithToSegment-/);
    await local.until(/^out .*"userId":"übertragen"/m);

    const forged = run([
      "infra/cli/index.ts",
      "send",
      "test/support/fixtures/06-overrides.json",
      "--url",
      url,
      "--secret",
      "wrong",
    ]);
    expect(await forged.exit()).toBe(1);
    expect(forged.output).toMatch(/^401 \{"status":"unauthorized".*\nsigned with another secret/);

    local.child.kill("SIGINT");
    expect(await local.exit()).toBe(0);
  });

  it("uses the secret of its variable, and shows no call that Segment did not accept", async () => {
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
    expect(local.output).toMatch(/deliver retrying .*reason="ECONNREFUSED"/);
    expect(local.output).not.toMatch(/^out /m);
    local.child.kill("SIGTERM");
    expect(await local.exit()).toBe(0);
    expect(local.output).toMatch(/^not delivered, and gone now: 2 calls in the queue, 0 dead letters$/m);
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
      env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, PORT: "0", SAMPLE: "off" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    // The output ends with the last process that holds it.
    for await (const chunk of shell.stdout) if (String(chunk).includes("Ctrl-C")) shell.kill("SIGTERM");
    expect(shell.signalCode).toBe("SIGTERM");
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["a port that is not a number", { PORT: "http" }, /^PORT: allowed is 0 to 65535.*; got "http"$/],
    ["a port out of range", { PORT: "65536" }, /^PORT: allowed is 0 to 65535.*$/],
    [
      "an endpoint that is not https",
      { SEGMENT_ENDPOINT: "http://example.com" },
      /^SEGMENT_ENDPOINT: allowed is an https URL.*$/,
    ],
    ["an empty secret", { FLAGSMITH_WEBHOOK_SECRET: " " }, /^FLAGSMITH_WEBHOOK_SECRET: must not be empty$/],
    ["an empty key", { SEGMENT_WRITE_KEY: "" }, /^SEGMENT_WRITE_KEY: must not be empty$/],
    [
      "no key for the real Segment",
      { SEGMENT_ENDPOINT: "https://api.segment.io" },
      /^SEGMENT_WRITE_KEY: needed with SEGMENT_ENDPOINT/,
    ],
    ["an unknown value of FORWARD", { FORWARD: "some" }, /^FORWARD: allowed is "every" or "changes".*$/],
    ["an unknown value of SAMPLE", { SAMPLE: "no" }, /^SAMPLE: allowed is on or off; got "no"$/],
  ])("rejects %s with what is allowed", (_, environment, message) => {
    expect(() => readSettings(environment)).toThrow(message);
  });

  it("prints one line if the port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = Object(server.address());
    const local = run(["test/local/main.ts"], { PORT: String(port) });
    expect(await local.exit()).toBe(1);
    server.close();
    expect(local.output.split("\n").slice(1)).toEqual([`PORT: ${port} is in use; set PORT to another, or to 0 for any`, ""]);
  });
});
