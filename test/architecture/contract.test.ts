import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ENV, FUNCTION_ENV, LOG_EVENTS, LOG_FIELDS, OPTIONS } from "../../lambda/contract";

const ROOT = join(__dirname, "../..");
const source = (path: string) => readFileSync(join(ROOT, path), "utf8");

const WRITERS = ["handlers/answers", "handlers/outcome", "handlers/delivery", "telemetry"].map((name) =>
  source(`lambda/${name}.ts`),
);
const README = source("README.md");

describe("environment variables", () => {
  it.each(["config.ts", "contract.ts"])("are named in the contract: %s holds no other", (file) => {
    const named = [...source(`lambda/${file}`).matchAll(/(?:"|environment\.)([A-Z]+(?:_[A-Z]+)+)\b/g)].map(
      (match) => match[1],
    );
    // Lambda's own, and the SDKs' for emulators.
    const given = ["REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"];
    const allowed = [
      ...Object.values(ENV),
      ...[...given, "ENDPOINT_URL_SSM", "ENDPOINT_URL_SQS", "ENDPOINT_URL_DYNAMODB"].map(
        (name) => `AWS_${name}`,
      ),
    ];
    expect(allowed).toEqual(expect.arrayContaining(named));
  });

  it("are set by infra and read by config for the same function", () => {
    const infra = source("infra/flagsmith-to-segment.ts") + source("infra/storage.ts");
    const config = source("lambda/config.ts");
    const nameOf = (variable: string) => Object.entries(ENV).find(([, value]) => value === variable)?.[0];
    for (const [functionName, variables] of Object.entries(FUNCTION_ENV)) {
      const reader = config.slice(config.indexOf(`function ${functionName}Config`)).split("\n}\n")[0] ?? "";
      const set = [...infra.matchAll(new RegExp(`${functionName}\\.addEnvironment\\(ENV\\.(\\w+)`, "g"))].map(
        (m) => m[1],
      );
      const read = [...reader.matchAll(/ENV\.(\w+)/g)].map((match) => match[1]);
      const declared = new Set(variables.map(nameOf));
      expect(new Set(set)).toEqual(declared);
      expect(new Set(read)).toEqual(declared);
    }
  });
});

describe("log events and fields", () => {
  it("are written, each of them, and no others", () => {
    const written = WRITERS.flatMap((text) =>
      [...text.matchAll(/(?:(?:outcome|write|settle)\(\s*|event: )"([a-z-]+)"/g)].map((match) => match[1]),
    );
    expect(new Set(written)).toEqual(new Set(Object.values(LOG_EVENTS)));
  });

  it("name fields that are written, each of them", () => {
    const text = ["answers", "receive", "attempt", "delivery", "deliver", "dead-letter", "outcome"]
      .map((name) => source(`lambda/handlers/${name}.ts`))
      .join(source("lambda/telemetry.ts"));
    const unwritten = Object.keys(LOG_FIELDS).filter(
      (field) => !new RegExp(`[{,(\\s]${field}[:,\\s}]`).test(text),
    );
    expect(unwritten).toEqual([]);
  });

  it("are explained in the README, each of them", () => {
    const explained = new Set([...README.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1]));
    expect([...explained]).toEqual(expect.arrayContaining(Object.values(LOG_EVENTS)));
    expect([...explained]).toEqual(expect.arrayContaining(Object.values(LOG_FIELDS)));
  });
});

describe("options", () => {
  it("are explained in the README, each with what is allowed", () => {
    for (const [name, { allowed }] of Object.entries(OPTIONS)) {
      const row = README.split("\n").find((line) => line.startsWith(`| \`${name}\` |`));
      expect(row).toContain(allowed);
    }
  });
});
