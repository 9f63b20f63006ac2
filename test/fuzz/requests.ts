import { createHmac } from "node:crypto";
import { evaluationPayload, flagPayload } from "../cloud/events";
import { evaluations, fixture } from "../support/fixtures";

type Random = () => number;

export interface FuzzRequest {
  /** The body as API Gateway passes it. */
  readonly body: string | undefined;
  readonly isBase64Encoded: boolean;
  readonly signature: string | undefined;
  /** The bytes that are signed, and their right signature. */
  readonly bytes: Buffer;
  readonly right: string;
}

/** Part of every value that must not get out. */
export const MARKER = "zqMARKERqz";
export const SECRET = "fuzz-secret-0123456789";

const MAX_BYTES = 256 * 1024;

export function generate(random: Random): FuzzRequest {
  const pick = picker(random);
  const original = pick(BODIES)(random);
  const mutated = pick([original, mutate(original, random), mutate(mutate(original, random), random)]);
  const raw = mutated.subarray(0, MAX_BYTES);
  const { body, isBase64Encoded } = pick(ENCODINGS)(raw);
  const bytes = Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
  const right = createHmac("sha256", SECRET).update(bytes).digest("hex");
  const signature = random() < 0.6 ? right : pick(FORGERIES)(right, bytes, random);
  return { body, isBase64Encoded, signature, bytes, right };
}

function picker(random: Random) {
  return <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new Error("nothing to pick");
    return item;
  };
}

const repeated = (text: string) => () => Buffer.from(text.repeat(Math.ceil(MAX_BYTES / text.length)));

const realBodies = evaluations.map(({ name }) => fixture(name));

/** Real bodies, odd ones that are legal, and bodies of the largest size that make a parser work hard. */
const BODIES: readonly ((random: Random) => Buffer)[] = [
  ...realBodies.map((body) => () => body),
  (random) => Buffer.from(JSON.stringify(oddEvaluation(random))),
  (random) => Buffer.from(JSON.stringify(oddEvaluation(random)).replaceAll('"number"', oddNumber(random))),
  () => Buffer.from(JSON.stringify({ event_type: MARKER, data: MARKER })),
  () => Buffer.from(JSON.stringify({ event_type: "FLAG_UPDATED", data: { [MARKER]: MARKER } })),
  () => Buffer.from(`{"identity": "p", "flags": ${"[".repeat(100_000)}`),
  () => Buffer.from(JSON.stringify(evaluationPayload({ flags: manyFlags(1_500) }))),
  repeated("["),
  repeated('{"a":'),
  repeated('"\\'),
  repeated("\\"),
  repeated("9"),
  repeated("-9007199254740993,"),
  repeated("Infinity NaN "),
  repeated('"\\ud83d'),
  () => Buffer.alloc(0),
];

function manyFlags(count: number): readonly object[] {
  return Array.from({ length: count }, (_, index) => flagPayload({ name: `flag_${index}`, value: `${MARKER}${index}` }));
}

function oddEvaluation(random: Random): object {
  const pick = picker(random);
  const odd = () =>
    pick<unknown>([MARKER, "number", null, true, 1e308, -0, "", [], {}, [MARKER], { [MARKER]: MARKER }, "\uFFFF\u0000", "😀"]);
  const flag = () => ({
    ...flagPayload({ name: pick(["email", "__proto__", "f", "ключ 🚩", ""]), enabled: random() < 0.5, value: odd() }),
    ...(random() < 0.1 ? { [pick(["enabled", "feature", "feature_state_value"])]: odd() } : {}),
  });
  return {
    identity: pick<unknown>(["p", "", "0".repeat(32), "x".repeat(3_000), odd()]),
    flags: random() < 0.9 ? Array.from({ length: Math.floor(random() * 20) }, flag) : odd(),
    segments: pick<unknown>([[], [{ id: 1, name: "s", member: true }], odd()]),
    traits: pick<unknown>([[], [{ trait_key: "k", trait_value: odd() }], odd()]),
    [pick(["extra", "event_type", "__proto__"])]: odd(),
  };
}

function oddNumber(random: Random): string {
  return picker(random)(["1e999", "-1e999", "NaN", "Infinity", "9".repeat(400), "9007199254740993", "1E-400", "01", "-", "1."]);
}

function mutate(body: Buffer, random: Random): Buffer {
  const at = () => Math.floor(random() * (body.length + 1));
  const [from, to] = [at(), at()].sort((one, other) => one - other) as [number, number];
  const insert = (bytes: Buffer) => Buffer.concat([body.subarray(0, from), bytes, body.subarray(from)]);
  const kinds = [
    () => body.subarray(0, from),
    () => Buffer.concat([body.subarray(0, from), body.subarray(to)]),
    () => insert(body.subarray(from, Math.min(to, from + 2_000))),
    () => insert(Buffer.from([Math.floor(random() * 256)])),
    () => insert(Buffer.from([0xf0, 0x9f, 0x98])), // the first three of an emoji's four bytes
    () => insert(Buffer.from("\uFEFF")),
    () => insert(Buffer.from(oddNumber(random))),
    () => insert(Buffer.from("[".repeat(70))),
    () => insert(Buffer.from('\\ud800"')),
    () => {
      const flipped = Buffer.from(body);
      if (from < flipped.length) flipped[from] = (flipped[from] ?? 0) ^ (1 << Math.floor(random() * 8));
      return flipped;
    },
  ];
  return picker(random)(kinds)();
}

const ENCODINGS: readonly ((raw: Buffer) => Pick<FuzzRequest, "body" | "isBase64Encoded">)[] = [
  (raw) => ({ body: raw.toString("utf8"), isBase64Encoded: false }),
  (raw) => ({ body: raw.toString("base64"), isBase64Encoded: true }),
  (raw) => ({ body: raw.toString("utf8"), isBase64Encoded: true }),
  () => ({ body: undefined, isBase64Encoded: false }),
];

/** `unit/signature` has the forgeries that are close to the right signature. */
const FORGERIES: readonly ((right: string, bytes: Buffer, random: Random) => string | undefined)[] = [
  () => undefined,
  () => "",
  (right) => right.slice(0, -1),
  (_, bytes) => createHmac("sha256", "another secret").update(bytes).digest("hex"),
  (_, __, random) => "f".repeat(Math.floor(random() * 10_000)),
];
